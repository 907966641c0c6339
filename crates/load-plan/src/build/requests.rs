//! Requests, their checks and their tags.

use super::{Environment, address, bodies, headers};
use crate::check::Check;
use crate::error::PlanError;
use crate::file::values::Pairs;
use crate::file::{RequestSpec, ScenarioFile};
use crate::plan::{Request, Scenario};
use crate::template::Template;
use http::{Method, header};

/// Most checks of a plan: one bit of a sample each.
const MAX_CHECKS: usize = 32;
/// Most requests of a plan.
const MAX_REQUESTS: usize = 1_000;
/// Tags that samples have by themselves.
pub(super) const OWN_TAGS: [&str; 14] = [
    "name",
    "scenario",
    "method",
    "url",
    "status",
    "outcome",
    "check",
    "error",
    "error_code",
    "expected_response",
    "group",
    "proto",
    "subproto",
    "tls_version",
];

pub(super) struct Built {
    pub requests: Vec<Request>,
    /// Weight of each request.
    pub weights: Vec<u32>,
    pub checks: Vec<Check>,
}

pub(super) fn build(file: &ScenarioFile, columns: &[String], environment: Environment<'_>) -> Result<Built, PlanError> {
    let one = [RequestSpec::default()];
    let specs = file.requests.as_deref().unwrap_or(&one);
    if specs.is_empty() || specs.len() > MAX_REQUESTS {
        return Err(PlanError::invalid(format!(
            "the scenario file has {} requests: expected 1 to {MAX_REQUESTS}",
            specs.len()
        )));
    }
    let common = headers::read("all requests", file.headers.as_ref(), columns, environment)?;
    let mut built = Built {
        requests: Vec::with_capacity(specs.len()),
        weights: Vec::with_capacity(specs.len()),
        checks: Vec::new(),
    };
    let everywhere = add_checks(&mut built.checks, file.checks.iter().flatten())?;
    for (index, spec) in specs.iter().enumerate() {
        let name = spec.name.as_deref().filter(|name| !name.trim().is_empty());
        let what = match (name, specs.len()) {
            (Some(name), _) => format!("the request {name}"),
            (None, 1) => "the request".to_owned(),
            (None, _) => format!("request {}", index + 1),
        };
        let mut request = request(&what, spec, file.url.as_deref(), columns)?;
        let own = headers::read(&what, spec.headers.as_ref(), columns, environment)?;
        let made = std::mem::take(&mut request.headers);
        request.headers = own;
        headers::fill_up(&mut request.headers, &common);
        headers::fill_up(&mut request.headers, &made);

        request.checks = everywhere | add_checks(&mut built.checks, spec.checks.iter().flatten())?;
        if request.graphql.is_some() {
            let graphql = "no_graphql_errors".to_owned();
            request.checks |= add_checks(&mut built.checks, std::iter::once(&graphql))?;
        }
        let weight = spec.weight.unwrap_or(1);
        if weight == 0 {
            return Err(PlanError::invalid(format!(
                "the weight of {what} is 0, so it would never be sent: give it 1 or more, or remove it"
            )));
        }
        if built.requests.iter().any(|known| known.name == request.name) {
            return Err(PlanError::invalid(format!(
                "two requests are named {:?}: give each a `name` of its own",
                request.name
            )));
        }
        built.weights.push(weight);
        built.requests.push(request);
    }
    Ok(built)
}

fn request(what: &str, spec: &RequestSpec, base: Option<&str>, columns: &[String]) -> Result<Request, PlanError> {
    let address = address::address(what, spec.url.as_deref(), base, columns)?;
    let body = bodies::read(what, spec, columns)?;
    let method = match &spec.method {
        Some(text) => method(what, text)?,
        None if body.body.is_some() => Method::POST,
        None => Method::GET,
    };
    if body.graphql.is_some() && method != Method::POST {
        return Err(PlanError::invalid(format!(
            "{what} sends a GraphQL document by {method}: expected POST, which is what --graphql does by itself"
        )));
    }
    let mut headers = body.headers;
    headers.extend(address.authorization.map(|value| (header::AUTHORIZATION, value)));
    let agent = concat!("load-gate/", env!("CARGO_PKG_VERSION"));
    headers.push((header::USER_AGENT, Template::literal(agent)));
    let name = match &spec.name {
        Some(name) if name.trim().is_empty() => {
            return Err(PlanError::invalid(format!(
                "the name of {what} is empty: give it one, or remove `name`"
            )));
        }
        Some(name) => name.trim().to_owned(),
        None => address.shown.clone(),
    };
    let mut tags: Vec<(String, String)> = Vec::new();
    for (tag, value) in spec.tags.iter().flat_map(|pairs| &pairs.0) {
        usable_tag(what, tag)?;
        tags.push((tag.clone(), value.clone()));
    }
    Ok(Request {
        name,
        tags,
        method,
        origin: address.origin,
        target: address.target,
        headers,
        body: body.body,
        graphql: body.graphql,
        checks: 0,
    })
}

fn method(what: &str, text: &str) -> Result<Method, PlanError> {
    let upper = text.trim().to_ascii_uppercase();
    let refuse = |help: &str| PlanError::invalid(format!("{text:?} of {what} is no method that can be sent: {help}"));
    let method: Method = upper.parse().map_err(|_| refuse("expected one such as GET or POST"))?;
    if method == Method::CONNECT {
        return Err(refuse("CONNECT asks for a tunnel, not for an answer"));
    }
    Ok(method)
}

fn add_checks<'a>(all: &mut Vec<Check>, written: impl Iterator<Item = &'a String>) -> Result<u32, PlanError> {
    let mut bits = 0;
    for text in written {
        let check = Check::parse(text).map_err(|source| PlanError::Check {
            check: text.clone(),
            source,
        })?;
        let known = all.iter().position(|known| known.name() == check.name());
        let index = known.unwrap_or(all.len());
        if index >= MAX_CHECKS {
            return Err(PlanError::invalid(format!(
                "there are more than {MAX_CHECKS} checks, which is most"
            )));
        }
        if known.is_none() {
            all.push(check);
        }
        bits |= 1 << index;
    }
    Ok(bits)
}

pub(super) fn usable_tag(what: &str, tag: &str) -> Result<(), PlanError> {
    if OWN_TAGS.contains(&tag) {
        return Err(PlanError::invalid(format!(
            "{what} has the tag {tag:?}, which every sample has by itself: choose another name"
        )));
    }
    if tag.trim().is_empty() || tag.contains([':', ',', '{', '}']) {
        return Err(PlanError::invalid(format!(
            "{what} has the tag {tag:?}: expected a name without colons, commas and braces, so that thresholds can name it"
        )));
    }
    Ok(())
}

/// Puts the tags of all requests where no other is in their way, and makes sure that no sample has a tag twice: a threshold
/// on it would have two answers.
pub(super) fn tag(
    requests: &mut [Request],
    scenarios: &mut [Scenario],
    everywhere: Option<&Pairs<String>>,
) -> Result<(), PlanError> {
    for scenario in scenarios.iter() {
        for (tag, _) in &scenario.tags {
            if let Some(request) = requests.iter().find(|request| has(&request.tags, tag)) {
                return Err(PlanError::invalid(format!(
                    "the tag {tag} is on the scenario {} and on the request {}: keep one of them",
                    scenario.name, request.name
                )));
            }
        }
    }
    for (tag, value) in everywhere.into_iter().flat_map(|pairs| &pairs.0) {
        usable_tag("the list of tags", tag)?;
        let pair = || (tag.clone(), value.clone());
        if scenarios.iter().any(|scenario| has(&scenario.tags, tag)) {
            for scenario in scenarios.iter_mut().filter(|scenario| !has(&scenario.tags, tag)) {
                scenario.tags.push(pair());
            }
        } else {
            for request in requests.iter_mut().filter(|request| !has(&request.tags, tag)) {
                request.tags.push(pair());
            }
        }
    }
    Ok(())
}

fn has(tags: &[(String, String)], tag: &str) -> bool {
    tags.iter().any(|(name, _)| name == tag)
}
