//! What holds for every policy, and for every sequence of bytes.

use crate::{
    arbitrary,
    support::{load, policy},
};
use proptest::prelude::*;
use retention_policy::{canonical, check};

/// Fragments of documents, so that random text gets past the first character.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\n",
    "\n  ",
    "- ",
    "rules",
    "\"rules\"",
    "name",
    "table",
    "\"public.t\"",
    "action",
    "delete",
    "anonymise",
    "age",
    "where",
    "days",
    "null",
    "~",
    "true",
    "1",
    "-1",
    "0.5",
    "1e999",
    "&a ",
    "*a",
    "!x ",
    "<<",
    "?",
    "|",
    ">",
    "#",
    "---",
    "...",
    "'",
    "\"",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "%YAML 1.1\n",
    "erasure",
    "reach",
    "via",
    "column",
    "value",
    "op",
    " ",
    "\t",
    "\r\n",
    "é",
];

proptest! {
    #[test]
    fn json_and_yaml_say_the_same(written in arbitrary::policy()) {
        prop_assert_eq!(check(&written), vec![]);
        let json = canonical(&written);
        let tree: serde_json::Value = serde_json::from_str(&json).unwrap();
        let pretty = serde_json::to_string_pretty(&tree).unwrap();
        let yaml = yaml_serde::to_string(&tree).unwrap();
        let mut read = vec![("p.json", &json), ("p.json", &pretty), ("p.yaml", &yaml), ("p", &json)];
        // YAML wants control characters escaped that JSON does not.
        if json.is_ascii() && !json.contains('\u{7f}') {
            read.push(("p.yaml", &json));
        }
        for (name, text) in read {
            let got = load(name, text);
            prop_assert!(got.is_ok(), "{name}: {}\n{text}", got.unwrap_err());
            prop_assert_eq!(&got.unwrap().policy, &written, "{}: {}", name, text);
        }
        prop_assert_eq!(canonical(&policy("p.yaml", &yaml)), json);
    }

    #[test]
    fn random_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for name in ["p.json", "p.yaml", "p"] {
            one_line(load(name, &bytes).err().map(|error| error.to_string()))?;
        }
    }

    #[test]
    fn random_documents_are_refused_or_read(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..60)) {
        let text = pieces.concat();
        for name in ["p.json", "p.yaml", "p"] {
            one_line(load(name, &text).err().map(|error| error.to_string()))?;
        }
    }

    #[test]
    fn a_damaged_policy_is_refused_or_read(written in arbitrary::policy(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let tree: serde_json::Value = serde_json::from_str(&canonical(&written)).unwrap();
        let yaml = yaml_serde::to_string(&tree).unwrap();
        for (name, text) in [("p.json", canonical(&written)), ("p.yaml", yaml)] {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Err(error) = load(name, &bytes) {
                one_line(Some(error.to_string()))?;
            } else {
                bytes.truncate(at);
                one_line(load(name, &bytes).err().map(|error| error.to_string()))?;
            }
        }
    }
}

/// Errors end up in logs.
fn one_line(said: Option<String>) -> Result<(), TestCaseError> {
    let said = said.unwrap_or_default();
    prop_assert!(!said.chars().any(char::is_control), "{:?}", said);
    Ok(())
}
