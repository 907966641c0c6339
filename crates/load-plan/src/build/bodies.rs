//! Bodies: text, file, JSON, GraphQL.

use crate::error::PlanError;
use crate::file::{RequestSpec, read};
use crate::template::Template;
use http::{HeaderName, header};
use serde_json::Value;

/// A body with what belongs to it.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub body: Option<Template>,
    /// Headers that it needs unless others are given.
    pub headers: Vec<(HeaderName, Template)>,
    /// The GraphQL document, for people.
    pub graphql: Option<String>,
}

pub(super) fn read(what: &str, spec: &RequestSpec, columns: &[String]) -> Result<Body, PlanError> {
    let given: Vec<&str> = [
        spec.graphql.as_ref().map(|_| "graphql"),
        spec.json.as_ref().map(|_| "json"),
        spec.body.as_ref().map(|_| "body"),
        spec.body_file.as_ref().map(|_| "body_file"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let [first, second, ..] = given.as_slice() {
        return Err(PlanError::invalid(format!(
            "{what} has both {first} and {second}: keep the one that is meant"
        )));
    }
    if spec.variables.is_some() && spec.graphql.is_none() {
        return Err(PlanError::invalid(format!(
            "{what} has variables without a GraphQL document: give it too (--graphql, or `graphql` in the file)"
        )));
    }
    let parse = |part: &str, text: &str| {
        Template::parse(text, columns).map_err(|source| PlanError::Template {
            what: format!("the {part} of {what}"),
            source,
        })
    };
    if let Some(document) = &spec.graphql {
        return graphql(what, document, spec.variables.as_ref(), &parse);
    }
    if let Some(json) = &spec.json {
        return Ok(Body {
            body: Some(parse("json", &json.to_string())?.with_json_places()),
            headers: vec![(header::CONTENT_TYPE, Template::literal("application/json"))],
            graphql: None,
        });
    }
    let body = match (&spec.body, &spec.body_file) {
        (Some(text), _) => Some(parse("body", text)?),
        (None, Some(path)) => Some(parse("body", &read::text(path, "body file")?)?),
        (None, None) => None,
    };
    Ok(Body {
        body,
        ..Body::default()
    })
}

fn graphql(
    what: &str,
    document: &str,
    variables: Option<&Value>,
    parse: &dyn Fn(&str, &str) -> Result<Template, PlanError>,
) -> Result<Body, PlanError> {
    if document.trim().is_empty() {
        return Err(PlanError::invalid(format!(
            "the GraphQL document of {what} is empty: expected one such as {{ __typename }}"
        )));
    }
    let mut pieces = vec![
        Template::literal("{\"query\":\""),
        parse("GraphQL document", document)?.into_json_string(),
        Template::literal("\""),
    ];
    match variables {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => {
            let template = parse("variables", text)?;
            if let Some(fixed) = template.fixed()
                && !serde_json::from_str::<Value>(fixed).is_ok_and(|value| value.is_object())
            {
                return Err(PlanError::invalid(format!(
                    "the variables of {what} are not a JSON object: expected one such as {{\"id\": 7}}"
                )));
            }
            pieces.extend([Template::literal(",\"variables\":"), template]);
        }
        Some(object @ Value::Object(_)) => {
            let template = parse("variables", &object.to_string())?.with_json_places();
            pieces.extend([Template::literal(",\"variables\":"), template]);
        }
        Some(_) => {
            return Err(PlanError::invalid(format!(
                "the variables of {what} are neither an object nor a text with one"
            )));
        }
    }
    pieces.push(Template::literal("}"));
    Ok(Body {
        body: Some(Template::join(pieces)),
        headers: vec![
            (header::CONTENT_TYPE, Template::literal("application/json")),
            // GraphQL over HTTP: the new media type, and the old one for servers that do not know it.
            (
                header::ACCEPT,
                Template::literal("application/graphql-response+json, application/json;q=0.9"),
            ),
        ],
        graphql: Some(document.trim().to_owned()),
    })
}
