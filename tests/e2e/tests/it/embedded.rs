//! Owns the mode without OPA: the reloader answers the questions itself. Needs nothing but this tree.

use e2e::{Http, Lab, Mode, Reloader, eventually, opa::Revisions, ports};
use libtest_mimic::Trial;
use mc_sim::{PACK_ID, samples};
use serde_json::{Value, json};

use crate::run;

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("embedded_mode_answers_like_opa", || {
        run(embedded_mode_answers_like_opa);
        Ok(())
    })]
}

async fn embedded_mode_answers_like_opa() {
    let lab = Lab::new(Mode::Push);
    let url = format!("http://127.0.0.1:{}", ports::free());
    let listen = url.trim_start_matches("http://");
    let options = e2e::Options::default()
        .args(&["--pack-url", &lab.sim.pack_url(PACK_ID)])
        .args(&["--activation", "embedded", "--opa-listen", listen])
        .args(&["--trust", "key", "--insecure-ignore-tlog"])
        .args(&["--key", lab.path("mc.pub").to_str().unwrap()]);
    let reloader = Reloader::start(&options).await;
    let http = Http::default();
    let allow = format!("{url}/v1/data/{}", samples::ALLOW);
    let input = json!({ "input": serde_json::from_str::<Value>(samples::INPUT_ALLOWED).unwrap() });
    let allows = async || http.post(&allow, &input).await.unwrap().json()["result"].as_bool();

    let (answer, _) = eventually("the decision port opens", async || http.post(&allow, &input).await).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({})),
        "undefined before the first pack"
    );
    let health = async |query: &str| http.get(&format!("{url}/health{query}")).await.unwrap().status;
    assert_eq!(health("").await, 200);
    assert_eq!(health("?bundles").await, 500);
    assert!(!reloader.is_ready().await);

    for (revision, files, allowed) in [
        (1, samples::v1(1), true),
        (2, samples::deny_by_policy(2), false),
        (3, samples::v0(3), true),
        (4, samples::deny_by_data(4), false),
    ] {
        lab.publish(files);
        let ((), took) = eventually("the decision changes", async || {
            (allows().await == Some(allowed)).then_some(())
        })
        .await;
        eprintln!("embedded: publish to changed decision: {} ms", took.as_millis());
        let url = format!("{url}/v1/data/{}?provenance=true", samples::REVISIONS);
        let answer = http.get(&url).await.unwrap().json();
        assert_eq!(Revisions::of(&answer).and_then(Revisions::one), Some(revision));
        let label = answer["provenance"]["bundles"]["policy"]["revision"].as_str().unwrap();
        assert!(label.starts_with(&format!("{revision}@sha256:")), "{label}");
    }
    assert_eq!(health("?bundles").await, 200);
    reloader.ready().await;
    let status = reloader.status().await;
    assert_eq!(
        (status["activation"].as_str(), status["state"].as_str()),
        (Some("embedded"), Some("steady"))
    );

    lab.publish(samples::broken_rego(5));
    reloader
        .status_until("the broken pack is refused", |status| {
            (status["last_refusal"]["reason"] == "rego_invalid").then_some(())
        })
        .await;
    assert_eq!(allows().await, Some(false), "the last good pack goes on deciding");
}
