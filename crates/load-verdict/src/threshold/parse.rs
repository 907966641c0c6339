//! The right part of a threshold: aggregate, operator, limit.

use super::{Aggregation, MetricKey, Operator, Problem, Threshold, ThresholdError, number};
use std::time::Duration;

/// The operators in the order in which k6 looks for them: the first of this list that occurs anywhere splits the text.
const OPERATORS: [(&str, Operator); 7] = [
    ("<=", Operator::LessOrEqual),
    ("<", Operator::Less),
    (">=", Operator::GreaterOrEqual),
    (">", Operator::Greater),
    ("===", Operator::Equal),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
];

/// Reads an expression for a key.
pub(super) fn expression(key: MetricKey, text: &str) -> Result<Threshold, ThresholdError> {
    let text = text.trim();
    let Some((at, sign, operator)) = OPERATORS
        .into_iter()
        .find_map(|(sign, operator)| Some((text.find(sign)?, sign, operator)))
    else {
        let at = text.find(['=', '!']).unwrap_or(text.len());
        let advice = "expected a comparison: one of < <= > >= == !=, such as p(95)<350".to_owned();
        return Err(ThresholdError::new(Problem::Operator, text, at, at + 1, advice));
    };
    let aggregation = aggregation(text, text[..at].trim_end())?;
    let kind = key.metric.kind();
    if !kind.has(aggregation) {
        let advice = format!(
            "{} is a {}, which has {}",
            key.metric,
            kind.as_str(),
            kind.aggregations()
        );
        return Err(ThresholdError::new(
            Problem::AggregationOfType,
            text,
            0,
            text[..at].trim_end().len(),
            advice,
        ));
    }
    let limit = limit(text, at + sign.len(), key.metric)?;
    Ok(Threshold {
        key,
        expression: text.to_owned(),
        aggregation,
        operator,
        limit,
        abort_on_fail: false,
        delay_abort: Duration::ZERO,
    })
}

fn aggregation(text: &str, left: &str) -> Result<Aggregation, ThresholdError> {
    Ok(match left {
        "avg" => Aggregation::Avg,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "med" => Aggregation::Med,
        "rate" => Aggregation::Rate,
        "count" => Aggregation::Count,
        "value" => Aggregation::Value,
        "p" => {
            let advice = "which percentile? write p(95)".to_owned();
            return Err(ThresholdError::new(Problem::Percentile, text, 1, 2, advice));
        }
        _ => match left.strip_prefix("p(").and_then(|rest| rest.strip_suffix(')')) {
            Some(percent) => percentile(text, percent)?,
            None => return Err(no_aggregation(text, left)),
        },
    })
}

fn percentile(text: &str, percent: &str) -> Result<Aggregation, ThresholdError> {
    let error = |advice: &str| {
        Err(ThresholdError::new(
            Problem::Percentile,
            text,
            2,
            2 + percent.len(),
            advice.to_owned(),
        ))
    };
    match number::parse(percent) {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(Aggregation::Percentile(value)),
        Ok(_) => error("expected a percentile from 0 to 100"),
        Err(_) if percent.trim().len() != percent.len() => error("no spaces inside of the parentheses"),
        Err(_) => error("expected a number from 0 to 100, such as p(99.9)"),
    }
}

fn no_aggregation(text: &str, left: &str) -> ThresholdError {
    // The operator's first character was mistaken for the aggregate's last: `p(95)=<350`.
    if let Some(stray) = left.find(['=', '!']) {
        let advice = "expected one of < <= > >= == !=".to_owned();
        return ThresholdError::new(Problem::Operator, text, stray, left.len() + 1, advice);
    }
    if left.starts_with("p(") {
        let advice = "this parenthesis is never closed".to_owned();
        return ThresholdError::new(Problem::Percentile, text, 1, 2, advice);
    }
    if number::parse(left).is_ok() {
        let advice = "the aggregate comes first, the number after the comparison".to_owned();
        return ThresholdError::new(Problem::Aggregation, text, 0, left.len(), advice);
    }
    let advice = match left.to_lowercase().replace([' ', '(', ')'], "").as_str() {
        "mean" | "average" | "avg" => "the mean is called avg",
        "median" | "med" => "the median is called med",
        "minimum" | "min" => "the smallest value is called min",
        "maximum" | "max" => "the largest value is called max",
        other if other.starts_with('p') && number::parse(&other[1..]).is_ok() => "percentiles are written p(95)",
        _ => "expected avg, min, max, med, p(N), rate, count or value",
    };
    ThresholdError::new(Problem::Aggregation, text, 0, left.len(), advice.to_owned())
}

fn limit(text: &str, start: usize, metric: super::Metric) -> Result<f64, ThresholdError> {
    let rest = &text[start..];
    let right = rest.trim_start();
    let start = start + rest.len() - right.len();
    let expected = match metric.kind() {
        super::Kind::Trend => "a number of milliseconds, such as 350",
        super::Kind::Rate => "a share from 0 to 1, such as 0.01",
        super::Kind::Counter | super::Kind::Gauge => "a number",
    };
    let error =
        |start: usize, advice: String| Err(ThresholdError::new(Problem::Limit, text, start, text.len(), advice));
    match number::parse(right) {
        Ok(limit) if !limit.is_nan() => Ok(limit),
        Ok(_) => error(start, format!("nothing can be compared with nan: expected {expected}")),
        Err(number::NotANumber::Range) => error(start, format!("too large: expected {expected}")),
        Err(number::NotANumber::Syntax) => {
            // Point at the first character that does not belong, when what is before it is a number.
            let good = (1..right.len())
                .rev()
                .find(|end| right.is_char_boundary(*end) && number::parse(right[..*end].trim_end()).is_ok());
            let found = match right {
                "" => "the end".to_owned(),
                _ => format!("`{}`", &right[good.unwrap_or(0)..].trim_start()),
            };
            let unit = match good.map(|end| right[end..].trim()) {
                Some("ms" | "s" | "us" | "m") if metric.kind() == super::Kind::Trend => {
                    "; units are not part of the grammar"
                }
                Some("%") if metric.kind() == super::Kind::Rate => "; 1 % is written 0.01",
                _ => "",
            };
            error(
                start + good.unwrap_or(0),
                format!("expected {expected}, found {found}{unit}"),
            )
        }
    }
}
