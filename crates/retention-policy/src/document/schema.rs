//! Owns the published JSON Schema.

use super::PolicyDocument;
use serde_json::{Map, Value};

/// The JSON Schema of a policy, for JSON and YAML alike.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(PolicyDocument);
    schema.insert("title".to_owned(), "retention-job policy".into());
    let mut schema = schema.to_value();
    without_null(&mut schema);
    schema.sort_all_objects();
    schema
}

/// A key may be left out, but not be written without a value: `age:` with everything below it commented out would be a rule
/// for rows of any age. Types say both with the same word (`Option`), so the schema is told here.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(without_null),
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                for property in properties.values_mut().filter_map(Value::as_object_mut) {
                    required(property);
                }
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

fn required(property: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = property.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            property.insert("type".to_owned(), one);
        }
    }
    let Some(Value::Array(forms)) = property.get("anyOf") else {
        return;
    };
    let null = serde_json::json!({ "type": "null" });
    if let [Value::Object(form), last] = forms.as_slice()
        && *last == null
    {
        let form = form.clone();
        property.remove("anyOf");
        property.extend(form);
    }
}
