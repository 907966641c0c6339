//! Any bytes as JSON: what we accept is what `serde_json` accepts, less duplicate keys and too much depth.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pack_verify::json::{JsonProblem, check, has_path};

fuzz_target!(|bytes: &[u8]| {
    let tree = serde_json::from_slice::<serde_json::Value>(bytes);
    match (check(bytes, 64), &tree) {
        (Ok(shape), Ok(tree)) => {
            assert!(shape.depth <= 64);
            assert!(has_path(bytes, &[]));
            for key in tree.as_object().into_iter().flat_map(|object| object.keys()) {
                assert!(has_path(bytes, &[key]), "{key:?}");
            }
        }
        (Err(error), Ok(_)) => {
            let ours = matches!(
                error.what,
                JsonProblem::DuplicateKey { .. } | JsonProblem::TooDeep { .. }
            );
            assert!(ours, "{error} although it parses");
        }
        (Ok(_), Err(error)) => panic!("accepted, although {error}"),
        (Err(error), Err(_)) => assert!(error.line > 0),
    }
});
