//! What must not get into the server's log.

use super::*;

#[test]
fn a_key_never_gets_into_the_log() {
    let mut case = case();
    case.policy.rules = vec![retention_policy::Rule {
        action: anonymise(Transform::Hmac),
        keep_columns: Some(Vec::new()),
        ..rule("users", "users")
    }];
    let with = |settings: &[(&str, &str)], may_silence: bool| {
        let mut facts = Facts { may_silence, ..calm() };
        for (name, value) in settings {
            facts.settings.insert((*name).to_owned(), (*value).to_owned());
        }
        let preflight = case.judge(&facts);
        (preflight.refused().count() > 0, preflight.silence_parameters)
    };
    assert_eq!(with(&[], false), (false, false));
    for logging in [
        ("log_statement", "mod"),
        ("log_statement", "all"),
        ("log_min_duration_statement", "0"),
        ("log_min_duration_statement", "250ms"),
        ("log_min_duration_sample", "1s"),
        ("log_transaction_sample_rate", "0.01"),
    ] {
        assert_eq!(with(&[logging], false), (true, false), "{logging:?}");
        assert_eq!(with(&[logging], true), (false, true), "{logging:?}");
        assert_eq!(
            with(&[logging, ("log_parameter_max_length", "0")], false),
            (false, false),
            "{logging:?}"
        );
    }
    assert_eq!(with(&[("log_statement", "ddl")], false), (false, false));
    assert_eq!(
        with(&[("log_parameter_max_length_on_error", "-1")], true),
        (true, false)
    );
    assert_eq!(with(&[("pgaudit.log_parameter", "on")], true), (true, false));
    let explain = [
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_parameter_max_length", "-1"),
    ];
    assert_eq!(with(&explain, true), (true, false));
    assert_eq!(
        with(&[explain[1], ("auto_explain.log_min_duration", "-1")], true),
        (false, false)
    );
    // Without a key nothing can leak.
    case.policy.rules[0].action = anonymise(Transform::Null);
    let mut facts = calm();
    facts.settings.insert("log_statement".to_owned(), "all".to_owned());
    assert_eq!(case.found(&facts), []);
}

#[test]
fn keys_of_subjects_stay_out_of_the_log_where_that_can_be() {
    let mut case = case();
    case.policy.erasure = Some(retention_policy::Erasure {
        max_fraction: None,
        subject: retention_policy::SubjectTable {
            table: retention_policy::TableName {
                schema: "public".to_owned(),
                name: "users".to_owned(),
            },
            key: "id".to_owned(),
            requested: Vec::new(),
            completed: None,
        },
        tables: Vec::new(),
    });
    let with = |settings: &[(&str, &str)], may_silence: bool| {
        let mut facts = Facts { may_silence, ..calm() };
        for (name, value) in settings {
            facts.settings.insert((*name).to_owned(), (*value).to_owned());
        }
        let preflight = case.judge(&facts);
        let told: Vec<String> = preflight
            .findings
            .iter()
            .map(|finding| {
                assert_eq!((finding.severity, finding.code), (Severity::Warning, "subject-in-log"));
                assert!(finding.message.contains("ALTER ROLE"), "{}", finding.message);
                finding.object.clone()
            })
            .collect();
        (told, preflight.silence_parameters)
    };
    let nothing: Vec<String> = Vec::new();
    let statements = ("log_statement", "all");
    assert_eq!(with(&[], true), (nothing.clone(), false));
    assert_eq!(with(&[statements], true), (nothing, true));
    assert_eq!(with(&[statements], false), (vec!["log_statement".to_owned()], false));
    // What cannot be had is told, and what can be had is done all the same.
    assert_eq!(
        with(
            &[
                statements,
                ("log_parameter_max_length_on_error", "-1"),
                ("pgaudit.log_parameter", "on")
            ],
            true
        ),
        (
            vec![
                "pgaudit.log_parameter".to_owned(),
                "log_parameter_max_length_on_error".to_owned()
            ],
            true
        )
    );
}
