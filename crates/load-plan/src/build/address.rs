//! URLs with placeholders: what is connected to, and what is asked for there.

use crate::{error::PlanError, template::Template};
use base64::{Engine, engine::general_purpose::STANDARD};
use url::Url;

/// Stands for a placeholder while the URL is taken apart: a word that needs no escaping anywhere.
const STAND_IN: &str = "lg0place0holder";

/// A URL, taken apart.
#[derive(Debug)]
pub(super) struct Address {
    /// Scheme, host and port.
    pub origin: Url,
    /// Path and query.
    pub target: Template,
    /// From `user:password@`: the value of an Authorization header.
    pub authorization: Option<Template>,
    /// For people: without user, password and query values.
    pub shown: String,
}

const EXPECTED: &str = "expected an absolute URL such as https://staging.example.com/graphql";

/// Takes `written` apart, which may be relative to `base`.
pub(super) fn address(
    what: &str,
    written: Option<&str>,
    base: Option<&str>,
    columns: &[String],
) -> Result<Address, PlanError> {
    let text = match (written, base) {
        (Some(text), _) | (None, Some(text)) if text.trim().is_empty() => {
            return Err(PlanError::invalid(format!("the url of {what} is empty: {EXPECTED}")));
        }
        (Some(text), _) | (None, Some(text)) => text.trim(),
        (None, None) => {
            return Err(PlanError::invalid(format!(
                "there is no url for {what}: give --url https://HOST/PATH (or COS_GQL_URL), or `url` in the scenario file"
            )));
        }
    };
    // Points at a placeholder that is wrong in the text as it was written.
    Template::parse(text, columns).map_err(|source| template(what, source))?;

    let (plain, places) = stand_ins(text);
    let refuse = |problem: &str| {
        PlanError::invalid(format!(
            "the url of {what}, {:?}, cannot be used: {problem}; {EXPECTED}",
            redacted(text)
        ))
    };
    let mut url = match Url::parse(&plain) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            let base = base
                .filter(|_| written.is_some())
                .ok_or_else(|| refuse("it has no scheme"))?;
            let (base, _) = stand_ins(base.trim());
            let base = Url::parse(&base)
                .map_err(|error| refuse(&format!("the url that it is relative to is wrong ({error})")))?;
            base.join(&plain).map_err(|error| refuse(&error.to_string()))?
        }
        Err(error) => return Err(refuse(&error.to_string())),
    };
    if !matches!(url.scheme(), "http" | "https") {
        let with_scheme = !plain.contains("://");
        let found = format!("its scheme is {:?} and not http or https", url.scheme());
        return Err(if with_scheme {
            refuse(&format!("{found}, did you mean http://{}?", redacted(text)))
        } else {
            refuse(&found)
        });
    }
    if url.authority().contains(STAND_IN) {
        return Err(refuse("only the path and the query may have placeholders"));
    }
    let authorization = (!url.username().is_empty() || url.password().is_some()).then(|| basic(&url));
    // Both cannot fail: the scheme is http or https.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    let path_and_query = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let target = filled_in(path_and_query, &places);
    let target = Template::parse(&target, columns).map_err(|source| template(what, source))?;
    if let Some(fixed) = target.fixed()
        && fixed.parse::<http::uri::PathAndQuery>().is_err()
    {
        return Err(refuse("its path is not valid HTTP"));
    }
    let shown = {
        let plain = redacted(url.as_str());
        filled_in(&plain, &places)
    };
    let mut origin = url;
    origin.set_path("/");
    origin.set_query(None);
    Ok(Address {
        origin,
        target,
        authorization,
        shown,
    })
}

fn template(what: &str, source: crate::template::TemplateError) -> PlanError {
    PlanError::Template {
        what: format!("the url of {what}"),
        source,
    }
}

/// User and password as a header, as every browser and curl do.
fn basic(url: &Url) -> Template {
    let decode = |text: &str| {
        let with_plus = text.replace('+', "%2B");
        url::form_urlencoded::parse(format!("x={with_plus}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let user = format!(
        "{}:{}",
        decode(url.username()),
        decode(url.password().unwrap_or_default())
    );
    Template::literal(format!("Basic {}", STANDARD.encode(user))).secret()
}

/// The text with a stand-in for each placeholder, and the placeholders.
fn stand_ins(text: &str) -> (String, Vec<&str>) {
    let (mut plain, mut places, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, (inside, after))) = rest
        .split_once("{{")
        .and_then(|(before, tail)| tail.split_once("}}").map(|split| (before, split)))
    {
        plain.push_str(before);
        plain.push_str(STAND_IN);
        places.push(inside);
        rest = after;
    }
    plain.push_str(rest);
    (plain, places)
}

fn filled_in(plain: &str, places: &[&str]) -> String {
    let mut text = String::new();
    let mut places = places.iter();
    for (index, part) in plain.split(STAND_IN).enumerate() {
        if index > 0 {
            text.push_str("{{");
            text.push_str(places.next().copied().unwrap_or_default());
            text.push_str("}}");
        }
        text.push_str(part);
    }
    text
}

/// A URL for people: without user, password, query values and fragment. Also for text that is no URL.
pub(crate) fn redacted(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let mut shown = match path.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => match path.split_once('@') {
            Some((_, host)) => host.to_owned(),
            None => path.to_owned(),
        },
    };
    if let Some(query) = query {
        let names: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, _)) => format!("{name}=[redacted]"),
                None => pair.to_owned(),
            })
            .collect();
        shown.push('?');
        shown.push_str(&names.join("&"));
    }
    shown
}
