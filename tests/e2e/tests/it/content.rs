//! Owns what a new pack brings along and leaves out: modules that need each other, documents that are gone, and what
//! belongs to OPA's operator.

use e2e::{Lab, Mode, Opa, OpaOptions, opa};
use libtest_mimic::Trial;
use mc_sim::{Files, samples};
use serde_json::{Value, json};

use crate::in_both_modes;

pub(crate) fn trials() -> Vec<Trial> {
    [
        in_both_modes("what_a_pack_leaves_out_is_gone", what_a_pack_leaves_out_is_gone),
        in_both_modes("what_the_operator_put_there_stays", what_the_operator_put_there_stays),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Two modules that call each other's functions, and a document of their own.
fn with_helpers(revision: u64) -> Files {
    let mut files = samples::v1(revision);
    let mut add = |path: &str, text: &str| files.insert(path.to_owned(), text.as_bytes().to_vec());
    // In the order of names each needs the one that comes later.
    add(
        "opa/lib/a.rego",
        "package cos.lib.a\n\nimport data.cos.lib.b\n\ndouble(x) := b.add(x, x)\n",
    );
    add(
        "opa/lib/b.rego",
        "package cos.lib.b\n\nadd(x, y) := x + y\n\nlimit := data.cos.limits.most\n",
    );
    add(
        "opa/uses.rego",
        "package cos.uses\n\nimport data.cos.lib\n\nanswer := lib.a.double(lib.b.limit)\n",
    );
    add("data/limits.json", "{\"most\": 21}");
    files
}

async fn result(opa: &Opa, path: &str) -> Option<Value> {
    let answer = opa.ask(path, None).await.expect("OPA answers");
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json().get("result").cloned()
}

async fn what_a_pack_leaves_out_is_gone(mode: Mode) {
    let lab = Lab::new(mode);
    let (opa, reloader) = lab.running(samples::v1(1), 1).await;
    let (policies, _) = opa.everything().await;
    assert_eq!(policies.as_array().map(Vec::len), Some(1));

    lab.publish(with_helpers(2));
    opa.decides_by(2).await;
    assert_eq!(result(&opa, "cos/uses/answer").await, Some(json!(42)));
    let (policies, _) = opa.everything().await;
    assert_eq!(policies.as_array().map(Vec::len), Some(4));

    lab.publish(samples::v1(3));
    opa.decides_by(3).await;
    assert_eq!(result(&opa, "cos/uses/answer").await, None);
    assert_eq!(result(&opa, "cos/limits").await, None, "the document is gone");
    let (policies, _) = opa.everything().await;
    assert_eq!(policies.as_array().map(Vec::len), Some(1), "the modules are gone");

    lab.publish(with_helpers(4));
    opa.decides_by(4).await;
    assert_eq!(result(&opa, "cos/uses/answer").await, Some(json!(42)));
    reloader.ready().await;
}

async fn what_the_operator_put_there_stays(mode: Mode) {
    let lab = Lab::new(mode);
    let own = opa::file(
        &lab.path("."),
        "own.rego",
        "package own\n\nallow if data.cos.abac.allow\n\nfixed := data.settings.fixed\n",
    );
    std::fs::create_dir(lab.path("settings")).unwrap();
    opa::file(&lab.path("settings"), "data.json", "{\"fixed\": 7}");
    let settings = format!("settings:{}", lab.path("settings/data.json").display());
    let opa = Opa::start(OpaOptions {
        args: vec![own, settings],
        ..lab.opa_options()
    })
    .await;
    let _reloader = lab.running_with(&lab.options(&[&opa]), &opa, samples::v1(1), 1).await;
    for (revision, files, allowed) in [(2, samples::deny_by_data(2), false), (3, samples::v1(3), true)] {
        lab.publish(files);
        opa.decides_by(revision).await;
        let answer = opa.ask("own/allow", Some(samples::INPUT_ALLOWED)).await.unwrap().json();
        assert_eq!(answer["result"].as_bool().unwrap_or_default(), allowed, "{answer}");
        assert_eq!(result(&opa, "own/fixed").await, Some(json!(7)));
    }
}
