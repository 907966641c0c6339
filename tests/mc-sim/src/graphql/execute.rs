//! Owns one GraphQL request, from its text to `data` or `errors`. No HTTP.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::evidence::{Evidence, EvidenceStore};
use super::schema;
use super::syntax::{self, Field, Kind, Operation};

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
}

/// A request that cannot be carried out: nothing was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) code: &'static str,
}

/// The whole answer of a request that was carried out.
#[derive(Debug, PartialEq)]
pub(super) struct Executed {
    /// Names of the fields at the root: what the request is about.
    pub(super) asked: Vec<String>,
    pub(super) body: Value,
}

/// What the fields at the root are asked of.
pub(super) struct World<'a> {
    pub(super) evidence: &'a mut EvidenceStore,
    pub(super) now: jiff::Timestamp,
    /// The fault `not_yet`: no evidence, whatever was published.
    pub(super) forgetful: bool,
}

pub(super) fn execute(request: &Request, world: &mut World<'_>) -> Result<Executed, Refused> {
    let operations = syntax::parse(&request.query).map_err(|message| Refused {
        message,
        code: "GRAPHQL_PARSE_FAILED",
    })?;
    let operation = choose(&operations, request.operation_name.as_deref())?;
    let invalid = |message| Refused {
        message,
        code: "GRAPHQL_VALIDATION_FAILED",
    };
    schema::check(operation.kind.root(), &operation.selection).map_err(invalid)?;
    let variables = variables(operation, request.variables.as_ref())?;
    let mut data = Map::new();
    for field in &operation.selection {
        if field.name == "__typename" {
            data.insert(field.key.clone(), json!(operation.kind.root()));
            continue;
        }
        let arguments = arguments(field, &variables);
        let resolved = match operation.kind {
            Kind::Query => evidence_ok(&arguments, world)?,
            Kind::Mutation => Ok(publish(&arguments, world)?),
        };
        match resolved {
            Ok(value) => {
                let of = schema::type_of(operation.kind.root(), &field.name).unwrap_or_default();
                data.insert(field.key.clone(), project(&value, of, &field.selection));
            }
            // Every field at the root is non-null: its error takes the whole of `data` with it.
            Err(message) => {
                let error = json!({
                    "message": message,
                    "path": [field.key],
                    "extensions": { "code": "NOT_FOUND" },
                });
                return Ok(Executed {
                    asked: asked(operation),
                    body: json!({ "errors": [error], "data": null }),
                });
            }
        }
    }
    Ok(Executed {
        asked: asked(operation),
        body: json!({ "data": data }),
    })
}

fn asked(operation: &Operation) -> Vec<String> {
    operation.selection.iter().map(|field| field.name.clone()).collect()
}

fn choose<'a>(operations: &'a [Operation], name: Option<&str>) -> Result<&'a Operation, Refused> {
    let refused = |message: &str| Refused {
        message: message.to_owned(),
        code: "OPERATION_RESOLUTION_FAILURE",
    };
    match (operations, name.filter(|name| !name.is_empty())) {
        ([only], None) => Ok(only),
        (_, None) => Err(refused(
            "Must provide operation name if query contains multiple operations.",
        )),
        (all, Some(name)) => all
            .iter()
            .find(|operation| operation.name.as_deref() == Some(name))
            .ok_or_else(|| refused(&format!("Unknown operation named \"{name}\"."))),
    }
}

/// The values of the variables; what must be there is there, and texts and ids are what they say.
fn variables(operation: &Operation, given: Option<&Map<String, Value>>) -> Result<Map<String, Value>, Refused> {
    let mut values = Map::new();
    for variable in &operation.variables {
        let name = &variable.name;
        let value = given
            .and_then(|given| given.get(name))
            .cloned()
            .or_else(|| variable.default.clone());
        let Some(value) = value.filter(|value| !(value.is_null() && variable.of.ends_with('!'))) else {
            if variable.of.ends_with('!') {
                let of = &variable.of;
                return Err(bad_input(format!(
                    "Variable \"${name}\" of required type \"{of}\" was not provided."
                )));
            }
            continue;
        };
        let fits = match variable.of.trim_end_matches('!') {
            "String" => value.is_string() || value.is_null(),
            "ID" => value.is_string() || value.is_i64() || value.is_null(),
            _ => true,
        };
        if !fits {
            return Err(bad_input(format!(
                "Variable \"${name}\" got invalid value {value}; expected type \"{}\".",
                variable.of
            )));
        }
        values.insert(name.clone(), value);
    }
    Ok(values)
}

fn bad_input(message: String) -> Refused {
    Refused {
        message,
        code: "BAD_USER_INPUT",
    }
}

fn arguments(field: &Field, variables: &Map<String, Value>) -> Map<String, Value> {
    let given = field
        .arguments
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.resolve(variables)?)));
    given.collect()
}

/// The outer error refuses the request; the inner one is the field's.
fn evidence_ok(arguments: &Map<String, Value>, world: &World<'_>) -> Result<Result<Value, String>, Refused> {
    let text = |name: &str| match arguments.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) if name == "releaseId" && number.is_i64() => Ok(number.to_string()),
        _ => Err(bad_input(format!(
            "Field \"evidenceOk\" argument \"{name}\" is required, and a text."
        ))),
    };
    let (service, release) = (text("service")?, text("releaseId")?);
    let found = world
        .evidence
        .latest(&service, &release)
        .filter(|_| !world.forgetful)
        .map(Evidence::judged);
    Ok(found.ok_or_else(|| format!("no evidence for release {release} of service {service}")))
}

fn publish(arguments: &Map<String, Value>, world: &mut World<'_>) -> Result<Value, Refused> {
    let input = arguments
        .get("input")
        .filter(|input| input.is_object())
        .ok_or_else(|| {
            bad_input("Field \"publishEvidence\" argument \"input\" is required, and an object.".to_owned())
        })?;
    let mut input = input.clone();
    // An `ID` may be written as a whole number.
    if let Some(id) = input.get_mut("releaseId")
        && id.is_i64()
    {
        *id = json!(id.to_string());
    }
    let evidence: Evidence = serde_json::from_value(input)
        .map_err(|error| bad_input(format!("Variable \"$input\" got an invalid value: {error}")))?;
    let bundle = world.evidence.publish(evidence, world.now);
    Ok(json!(bundle))
}

/// What was asked for of a value.
fn project(value: &Value, of: &str, selection: &[Field]) -> Value {
    match value {
        _ if selection.is_empty() => value.clone(),
        Value::Null => Value::Null,
        Value::Array(items) => items.iter().map(|item| project(item, of, selection)).collect(),
        value => {
            let fields = selection.iter().map(|field| {
                let inner = value.get(&field.name).unwrap_or(&Value::Null);
                let shown = match schema::type_of(of, &field.name) {
                    _ if field.name == "__typename" => json!(of),
                    Some(of) => project(inner, of, &field.selection),
                    None => inner.clone(),
                };
                (field.key.clone(), shown)
            });
            Value::Object(fields.collect())
        }
    }
}
