//! Owns values with more than one way to write them, and the schemas that no type says.

use super::rule::TransformDocument;
use crate::policy::TableName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{borrow::Cow, fmt};

/// `schema.name`, split at the first dot; `name`, in `public`; or `{schema, name}`, for a schema with a dot in its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableDocument(pub TableName);

/// The long form.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TableObject {
    /// The schema, as the catalog has it.
    #[schemars(length(min = 1, max = 63))]
    schema: String,
    /// The table, as the catalog has it.
    #[schemars(length(min = 1, max = 63))]
    name: String,
}

impl<'de> Deserialize<'de> for TableDocument {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = TableDocument;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("\"schema.table\" or {schema: SCHEMA, name: TABLE}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<TableDocument, E> {
                let (schema, name) = text.split_once('.').unwrap_or(("public", text));
                Ok(TableDocument(TableName {
                    schema: schema.to_owned(),
                    name: name.to_owned(),
                }))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TableDocument, A::Error> {
                let TableObject { schema, name } = TableObject::deserialize(MapAccessDeserializer::new(map))?;
                Ok(TableDocument(TableName { schema, name }))
            }
        }
        from.deserialize_any(Reader)
    }
}

impl Serialize for TableDocument {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let TableName { schema, name } = &self.0;
        // Whichever way it was written, its canonical form is the same.
        if schema.contains('.') {
            let (schema, name) = (schema.clone(), name.clone());
            TableObject { schema, name }.serialize(to)
        } else {
            to.collect_str(&self.0)
        }
    }
}

impl JsonSchema for TableDocument {
    fn schema_name() -> Cow<'static, str> {
        "Table".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let object = generator.subschema_for::<TableObject>();
        json_schema!({
            "description": "`schema.table`, split at the first dot; `table`, in the schema `public`; or `{schema, name}`, for a schema with a dot in its name. The schemas `retention`, `information_schema` and `pg_*` are refused.",
            "anyOf": [{ "type": "string", "minLength": 1, "maxLength": 127, "examples": ["public.pii_events"] }, object]
        })
    }
}

/// How columns become anonymous, by column.
pub(super) fn columns(generator: &mut SchemaGenerator) -> Schema {
    let how = generator.subschema_for::<TransformDocument>();
    json_schema!({ "type": "object", "minProperties": 1, "additionalProperties": how })
}

/// true, false, a number or a text.
pub(super) fn scalar(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["boolean", "number", "string"] })
}

/// One value, or a list of them.
pub(super) fn scalar_or_list(generator: &mut SchemaGenerator) -> Schema {
    let one = scalar(generator);
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
}

/// NULL may be written as null.
pub(super) fn or_null(schema: &mut Schema) {
    if let Some(forms) = schema.get_mut("oneOf").and_then(|forms| forms.as_array_mut()) {
        forms.push(serde_json::json!({ "type": "null", "description": "NULL." }));
    }
}

/// One of two keys.
pub(super) fn days_or_months(schema: &mut Schema) {
    schema.insert(
        "oneOf".to_owned(),
        serde_json::json!([{ "required": ["days"] }, { "required": ["months"] }]),
    );
}
