//! The left part of a threshold: a metric, and the tags that its samples must have.

use super::{Metric, MetricKey, Problem, ThresholdError};

/// k6's metrics that nothing here produces.
const NOT_MEASURED: [&str; 9] = [
    "http_req_sending",
    "group_duration",
    "grpc_req_duration",
    "ws_connecting",
    "ws_msgs_received",
    "ws_msgs_sent",
    "ws_ping",
    "ws_session_duration",
    "ws_sessions",
];

/// Takes a flag apart at the `=` between key and expression. An `=` inside of braces belongs to a tag.
pub(super) fn split_flag(flag: &str) -> Result<(&str, &str), ThresholdError> {
    let first_equals = flag.find('=');
    let first_brace = flag
        .find('{')
        .filter(|brace| first_equals.is_none_or(|equals| *brace < equals));
    let search_from = match (first_brace, flag.rfind('}')) {
        (Some(open), None) => {
            let advice = "this brace is never closed".to_owned();
            return Err(ThresholdError::new(Problem::Braces, flag, open, open + 1, advice));
        }
        (Some(_), Some(close)) => close + 1,
        (None, _) => 0,
    };
    let equals = flag[search_from..].find('=').map(|at| at + search_from);
    match equals {
        Some(at) if !flag[at + 1..].starts_with('=') => Ok((flag[..at].trim(), &flag[at + 1..])),
        _ => {
            let end = flag.trim_end().len();
            let advice = "expected METRIC=EXPRESSION, such as http_req_duration=p(95)<350".to_owned();
            Err(ThresholdError::new(Problem::NoExpression, flag, end, end + 1, advice))
        }
    }
}

/// Reads `metric` or `metric{tag:value,...}`.
pub(super) fn parse(text: &str) -> Result<MetricKey, ThresholdError> {
    let error =
        |problem, start, end, advice: &str| Err(ThresholdError::new(problem, text, start, end, advice.to_owned()));
    let tags = match (text.find('{'), text.rfind('}')) {
        (None, None) => None,
        (Some(open), None) => return error(Problem::Braces, open, open + 1, "this brace is never closed"),
        (None, Some(close)) => return error(Problem::Braces, close, close + 1, "this brace was never opened"),
        (Some(open), Some(close)) if close < open => {
            return error(Problem::Braces, close, close + 1, "this brace closes before one opens");
        }
        (Some(_), Some(close)) if close + 1 != text.len() => {
            return error(
                Problem::Braces,
                close + 1,
                text.len(),
                "nothing may follow the closing brace",
            );
        }
        (Some(open), Some(close)) => Some((open, close)),
    };
    let metric = metric(text, &text[..tags.map_or(text.len(), |(open, _)| open)])?;
    let mut key = MetricKey::plain(metric);
    if let Some((open, close)) = tags {
        let mut start = open + 1;
        for part in text[open + 1..close].split(',') {
            let (name, value) = tag(text, part, start)?;
            if key.tags.iter().any(|(known, _)| *known == name) {
                let advice = format!("`{name}` has a value already, and a sample has only one: use two thresholds");
                return Err(ThresholdError::new(
                    Problem::DuplicateTag,
                    text,
                    start,
                    start + part.len(),
                    advice,
                ));
            }
            key.tags.push((name, value));
            start += part.len() + 1;
        }
    }
    Ok(key)
}

/// One `name:value`; white space and quotes around both are dropped, as k6 does.
fn tag(text: &str, part: &str, start: usize) -> Result<(String, String), ThresholdError> {
    let error = |advice: &str| {
        Err(ThresholdError::new(
            Problem::Tag,
            text,
            start,
            start + part.len(),
            advice.to_owned(),
        ))
    };
    let bare = |part: &str| part.trim().trim_matches(['"', '\'']).to_owned();
    let Some((name, value)) = part.split_once(':') else {
        return error("expected name:value, such as {status:200}");
    };
    let (name, value) = (bare(name), bare(value));
    if name.is_empty() {
        return error("the tag has no name before its colon");
    }
    if value.is_empty() {
        return error("the tag has no value after its colon");
    }
    Ok((name, value))
}

fn metric(text: &str, name: &str) -> Result<Metric, ThresholdError> {
    if let Some(metric) = Metric::ALL.into_iter().find(|metric| metric.as_str() == name) {
        return Ok(metric);
    }
    let error = |problem, advice: String| Err(ThresholdError::new(problem, text, 0, name.len(), advice));
    if NOT_MEASURED.contains(&name) {
        let advice = match name {
            "http_req_sending" => "requests are sent in one piece: http_req_waiting begins when one is sent",
            _ => "k6 has it, and nothing here produces it: remove the threshold",
        };
        return error(Problem::NotMeasured, advice.to_owned());
    }
    let known = || Metric::ALL.map(Metric::as_str);
    let nearest = known()
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.trim().to_lowercase(), candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.75);
    error(
        Problem::UnknownMetric,
        match nearest {
            Some((_, nearest)) => format!("did you mean `{nearest}`?"),
            None => format!("the metrics are {}", known().join(", ")),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().tags
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn tags_are_read_as_k6_reads_them() {
        assert_eq!(tags("checks"), []);
        assert_eq!(tags("checks{a:b, c : d}"), [pair("a", "b"), pair("c", "d")]);
        assert_eq!(
            tags("checks{\"check\":'status is 200'}"),
            [pair("check", "status is 200")]
        );
        assert_eq!(tags("checks{url:http://x/${}}"), [pair("url", "http://x/${}")]);
        assert_eq!(tags("checks{a:b}{c:d}"), [pair("a", "b}{c:d")]);
    }

    #[test]
    fn a_flag_is_split_outside_of_braces() {
        assert_eq!(split_flag("checks=rate==1").unwrap(), ("checks", "rate==1"));
        assert_eq!(split_flag(" checks = rate>=1 ").unwrap(), ("checks", " rate>=1 "));
        assert_eq!(
            split_flag("checks{url:/?a=b}=rate>1").unwrap(),
            ("checks{url:/?a=b}", "rate>1")
        );
        for wrong in ["checks", "", "p(95)==350", "checks{a:b}", "checks:rate>1"] {
            assert_eq!(split_flag(wrong).unwrap_err().problem, Problem::NoExpression, "{wrong}");
        }
        assert_eq!(split_flag("checks{a=b").unwrap_err().problem, Problem::Braces);
    }

    #[test]
    fn a_name_that_is_nearly_right_gets_a_suggestion() {
        let advice = |name: &str| parse(name).unwrap_err().advice;
        assert_eq!(advice("http_req_duraton"), "did you mean `http_req_duration`?");
        assert_eq!(advice("HTTP_REQ_FAILED"), "did you mean `http_req_failed`?");
        assert_eq!(advice("http_req_duration {a:b}"), "did you mean `http_req_duration`?");
        assert_eq!(advice("check"), "did you mean `checks`?");
        assert!(
            advice("zzz").starts_with("the metrics are http_req_duration, "),
            "{}",
            advice("zzz")
        );
    }
}
