//! Owns the tokens: OPA's own, MC's, and the one that OPA shows to the reloader.

use e2e::{Lab, Mode, Opa, OpaOptions, Reloader, eventually, opa};
use libtest_mimic::Trial;
use mc_sim::samples;
use opa_client::{ConfigOptions, TokenFrom};

use crate::{in_both_modes, with_opa};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = in_both_modes("an_opa_that_wants_a_token", an_opa_that_wants_a_token);
    trials.push(with_opa(
        "a_token_between_opa_and_reloader",
        a_token_between_opa_and_reloader,
    ));
    trials.push(with_opa("an_mc_that_wants_a_token", an_mc_that_wants_a_token));
    trials
}

const AUTHZ: &str = "\
package system.authz

default allow := false

allow if input.identity == \"opa-secret\"

# So that it can be seen to run.
allow if input.path == [\"health\"]
";

async fn an_opa_that_wants_a_token(mode: Mode) {
    let lab = Lab::new(mode);
    let authz = opa::file(&lab.path("."), "authz.rego", AUTHZ);
    let mut args: Vec<String> = ["--authentication=token", "--authorization=basic"]
        .map(str::to_owned)
        .into();
    args.push(authz);
    let opa = Opa::start(OpaOptions {
        args,
        token: Some("opa-secret".to_owned()),
        ..lab.opa_options()
    })
    .await;
    lab.publish(samples::v1(1));

    let wrong = lab.options(&[&opa]).env("OPA_TOKEN", "wrong-secret");
    let reloader = Reloader::start(&wrong).await;
    eventually("the log says that OPA refuses the token", async || {
        let log = reloader.daemon.log();
        log.has(&["401"]).then_some(())
    })
    .await;
    assert!(!reloader.is_ready().await);
    let readyz = reloader.readyz().await.text;
    assert!(readyz.contains(&opa.url()), "{readyz}");
    assert!(!reloader.daemon.log().has(&["wrong-secret"]), "no secret in the log");
    drop(reloader);

    std::fs::write(lab.path("token"), "opa-secret\n").unwrap();
    let right = lab
        .options(&[&opa])
        .env("OPA_TOKEN_FILE", lab.path("token").to_str().unwrap());
    let reloader = lab.running_with(&right, &opa, samples::v1(1), 1).await;
    lab.publish(samples::deny_by_policy(2));
    opa.decides_by(2).await;
    assert!(!reloader.daemon.log().has(&["opa-secret"]), "no secret in the log");
}

async fn a_token_between_opa_and_reloader() {
    let lab = Lab::new(Mode::Bundle);
    let mut options = ConfigOptions::new(lab.bundle_url(), "policy");
    options.token = Some(TokenFrom::Env("RELOADER_TOKEN".to_owned()));
    let with_token = |token: &str| OpaOptions {
        env: vec![("RELOADER_TOKEN".to_owned(), token.to_owned())],
        ..lab.bundle_config(&options)
    };
    let opa = Opa::start(with_token("bundle-secret")).await;
    let reloader_options = lab.options(&[&opa]).by_hand().env("BUNDLE_TOKEN", "bundle-secret");
    let reloader = lab.running_with(&reloader_options, &opa, samples::v1(1), 1).await;
    lab.publish(samples::deny_by_data(2));
    assert_eq!(reloader.refresh().await["outcome"], "activated");
    assert_eq!(opa.revision().await, Some(2));

    // Nor does anybody make it poll who has no right to.
    lab.sim.clear_requests();
    for token in [None, Some("wrong-secret")] {
        let url = format!("{}/v1/refresh", reloader.admin());
        let answer = e2e::Http::new(token).post(&url, &serde_json::json!({})).await.unwrap();
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert!(lab.sim.requests().is_empty());

    // Whoever has no token, or another one, gets neither the bundle nor a hearing.
    let url = format!("{}bundles/policy", lab.bundle_url());
    for token in [None, Some("wrong-secret")] {
        let answer = e2e::Http::new(token).get(&url).await.unwrap();
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(!answer.text.contains("cos.abac"));
    }
    assert!(!reloader.daemon.log().has(&["bundle-secret"]), "no secret in the log");
}

async fn an_mc_that_wants_a_token() {
    let lab = Lab::new(Mode::Bundle);
    lab.sim.set_bearer(Some("mc-secret"));
    let opa = lab.opa().await;
    lab.publish(samples::v1(1));
    std::fs::write(lab.path("token"), "old-secret").unwrap();
    let options = lab
        .options(&[&opa])
        .env("MC_TOKEN_FILE", lab.path("token").to_str().unwrap());
    let reloader = Reloader::start(&options).await;
    reloader
        .status_until("MC refuses the token", |status| {
            (status["last_poll"]["outcome"] == "failed").then_some(())
        })
        .await;
    assert!(reloader.poll_failures("unauthorized").await >= 1.0);
    // Rotated as Kubernetes does it: another file takes the place of the old one.
    std::fs::write(lab.path("token.new"), "mc-secret").unwrap();
    std::fs::rename(lab.path("token.new"), lab.path("token")).unwrap();
    opa.decides_by(1).await;
    assert!(lab.sim.requests().iter().all(|request| request.with_token));
    assert!(!reloader.daemon.log().has(&["mc-secret"]), "no secret in the log");
}
