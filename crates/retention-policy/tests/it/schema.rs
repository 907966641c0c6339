//! The published schema is the one that the types say, and it tells right documents from wrong ones as reading does.

use crate::support::{delete, load, rule};
use std::path::Path;

#[test]
fn the_published_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/retention-policy.schema.json");
    let published = std::fs::read_to_string(&path).expect("a published schema");
    let schema = serde_json::to_string_pretty(&retention_policy::schema()).unwrap() + "\n";
    assert!(
        published == schema,
        "docs/schema/retention-policy.schema.json is not what `retention-job schema` prints: write it again"
    );
}

#[test]
fn every_key_is_described_and_none_may_be_null() {
    fn look(at: &str, schema: &serde_json::Value) {
        let Some(object) = schema.as_object() else {
            return schema.as_array().into_iter().flatten().for_each(|each| look(at, each));
        };
        if let Some(properties) = object.get("properties").and_then(|all| all.as_object()) {
            for (name, property) in properties {
                let known = property.get("description").is_some() || property.get("$ref").is_some();
                // The forms of an enum are described as a whole.
                assert!(
                    known || object.contains_key("description"),
                    "{at}.{name} has no description"
                );
                assert!(!property.to_string().contains("\"null\""), "{at}.{name} may be null");
            }
            assert_eq!(
                object.get("additionalProperties"),
                Some(&false.into()),
                "{at} allows other keys"
            );
        }
        object
            .iter()
            .for_each(|(name, each)| look(&format!("{at}.{name}"), each));
    }
    look("", &retention_policy::schema());
}

/// With the schema in hand, an editor says the same as reading about shapes.
#[test]
fn the_schema_agrees_with_reading() {
    let validator = jsonschema::validator_for(&retention_policy::schema()).unwrap();
    for (right, text) in [
        (true, "{}".to_owned()),
        (true, delete("")),
        (true, delete("where: [{ column: a, op: in, value: [1, b, true] }]")),
        (
            true,
            rule("action: { anonymise: { a: null, b: \"null\", c: hmac } }\nage: { column: at, months: 3 }"),
        ),
        (
            true,
            rule(
                "action: { anonymise: { a: { constant: 7 }, b: { truncate_ip: {} }, c: { generalise_date: month } } }\nwhere: [{ column: a, op: is_null }]",
            ),
        ),
        (false, "rules: null".to_owned()),
        (false, "rule: []".to_owned()),
        (false, delete("max_rows: 0")),
        (false, delete("max_rows: 1.5")),
        (false, delete("max_fraction: 0")),
        (false, delete("max_fraction: 2")),
        (false, delete("where: []")),
        (false, delete("where: [{ column: a, op: equals, value: 1 }]")),
        (false, delete("where: [{ column: a, op: in, value: [] }]")),
        (false, delete("keep_columns: null")),
        (false, rule("action: drop\nage: { column: at, days: 3 }")),
        (false, rule("action: delete\nage: { column: at }")),
        (false, rule("action: delete\nage: { column: at, days: 3, months: 3 }")),
        (false, rule("action: delete\nage: { column: at, days: 0 }")),
        (false, rule("action: delete\nage: null")),
        (false, rule("action: { anonymise: {} }\nage: { column: at, days: 3 }")),
        (
            false,
            rule("action: { anonymise: { a: { truncate_ip: { v4: 33 } } } }\nage: { column: at, days: 3 }"),
        ),
        (true, erasure("max_fraction: 0.5")),
        (false, erasure("max_fraction: 0")),
        (false, erasure("max_fraction: 1.5")),
        (false, erasure("max_rows: 5")),
    ] {
        assert_eq!(load("p.yaml", &text).is_ok(), right, "reading: {text}");
        let document: serde_json::Value = yaml_serde::from_str(&text).unwrap();
        let said: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(said.is_empty(), right, "the schema: {text}: {said:?}");
    }
}

/// A policy with an erasure that has this key too.
fn erasure(more: &str) -> String {
    format!(
        "rules: []\nerasure:\n  subject: {{ table: users, key: id }}\n  tables: [{{ table: users, action: delete, reach: {{ column: id }} }}]\n  {more}\n"
    )
}
