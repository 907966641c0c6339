//! Owns the pack's golden decisions: question and expected answer travel under the same signature as the policy.

use pack_verify::admit::VerifiedPack;
use regorus::Value;

use super::{PreflightError, PreflightRules};

/// Evaluates every golden decision; gives how many there were.
pub(super) fn check(
    pack: &VerifiedPack,
    parsed: &regorus::Engine,
    rules: &PreflightRules,
) -> Result<usize, PreflightError> {
    let Some(manifest) = pack.manifest().filter(|manifest| !manifest.golden.is_empty()) else {
        return Ok(0);
    };
    let unchecked = |why: String| PreflightError::GoldenUnchecked { why };
    let size: usize = pack.data().iter().map(|file| file.json.len()).sum();
    if size > rules.max_golden_data_bytes {
        return Err(unchecked(format!(
            "the pack carries {size} bytes of data and at most {} are loaded for this check; raise \
             --max-golden-data-bytes (memory: about fifteen times the data) or leave `golden` out of pack.json",
            rules.max_golden_data_bytes
        )));
    }
    let mut engine = parsed.clone();
    load_data(&mut engine, pack).map_err(unchecked)?;
    for golden in &manifest.golden {
        let name = golden.name.clone().unwrap_or_else(|| golden.path.clone());
        let input = Value::from_json_str(&golden.input.to_string()).map_err(|error| unchecked(error.to_string()))?;
        engine.set_input(input);
        let found =
            decide(&mut engine, &segments(&golden.path)).map_err(|why| unchecked(format!("`{name}` fails: {why}")))?;
        let expected = &golden.expect;
        if found.as_ref() != Some(expected) {
            return Err(PreflightError::Golden {
                name,
                expected: expected.to_string(),
                found: found.map_or_else(|| "undefined".to_owned(), |value| value.to_string()),
            });
        }
    }
    Ok(manifest.golden.len())
}

fn segments(path: &str) -> Vec<String> {
    path.split(['/', '.'])
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Puts the pack's documents into an interpreter, each at its place under `data`.
pub(crate) fn load_data(engine: &mut regorus::Engine, pack: &VerifiedPack) -> Result<(), String> {
    for file in pack.data() {
        let text = std::str::from_utf8(&file.json).map_err(|error| error.to_string())?;
        let document = Value::from_json_str(text).map_err(|error| format!("{}: {error:#}", file.path))?;
        let mut tree = document;
        for name in file.document.iter().rev() {
            let mut parent = Value::new_object();
            parent
                .as_object_mut()
                .map_err(|error| error.to_string())?
                .insert(Value::from(name.as_str()), tree);
            tree = parent;
        }
        engine
            .add_data(tree)
            .map_err(|error| format!("{}: {error:#}", file.path))?;
    }
    Ok(())
}

/// The value at `path` under `data`; `None` when it is undefined.
pub(crate) fn decide(engine: &mut regorus::Engine, path: &[String]) -> Result<Option<serde_json::Value>, String> {
    let query = path.iter().fold("data".to_owned(), |query, name| {
        format!("{query}[{}]", serde_json::Value::from(name.as_str()))
    });
    let results = engine.eval_query(query, false).map_err(|error| format!("{error:#}"))?;
    let value = results
        .result
        .first()
        .and_then(|result| result.expressions.first())
        .map(|expression| &expression.value);
    match value {
        None | Some(Value::Undefined) => Ok(None),
        Some(value) => serde_json::to_value(value).map(Some).map_err(|error| error.to_string()),
    }
}
