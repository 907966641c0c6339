//! What k6 0.52 accepts and refuses, recorded by running it on each of these; and where we are stricter.
//!
//! How it was recorded: `k6 run` of a script of one iteration whose `options.thresholds` is `{[key]: [expression]}`. Exit code
//! 104 is a refusal; 0 and 99 (crossed) are acceptance; the last lists name what k6 takes and we do not.

use super::{Aggregation, Kind, Metric, Operator, Problem, Threshold, ThresholdError};
use proptest::prelude::*;

/// Expressions on `http_req_duration` that k6 takes.
const ACCEPTED: &[&str] = &[
    "p(95)<350",
    "p(95) < 350",
    " p(95)<350 ",
    "p(99.9)<=1e3",
    "p(.5)<1",
    "p(5.)<1",
    "p(95)<.5",
    "p(95)<5.",
    "p(1e1)<1",
    "p(0x5p1)<1",
    "p(+95)<1",
    "p(100)<1",
    "p(0)<1",
    "p(95)<1_000",
    "p(95)<0x1_0p0",
    "p(95)<0x1p-2",
    "p(95)<0X1P+2",
    "p(95)<0x.8p1",
    "p(95)<inf",
    "p(95)<Infinity",
    "p(95)<-inf",
    "p(95)<+INF",
    "p(95)<-5",
    "p(95)<+5",
    "p(95)<1e-400",
    "p(95)==350",
    "p(95)===350",
    "p(95)!=350",
    "p(95)>350",
    "p(95)>=350",
    "p(95)<=350",
    "avg<1",
    "min<1",
    "max<1",
    "med<1",
    "med>1",
    "avg <\u{9}1",
    "avg<1",
    "avg\u{a0}<\u{a0}1",
];

/// Expressions on `http_req_duration` that k6 refuses.
const REFUSED: &[&str] = &[
    "p()<1",
    "p(95<1",
    "p95<1",
    "P(95)<1",
    "p(95%)<1",
    "p( 95)<1",
    "p(95 )<1",
    "p (95)<1",
    "p(95)<350ms",
    "p(95)<0x10",
    "p(95)<0b1",
    "p(95)<infinit",
    "p(95)<+nan",
    "p(95)<--5",
    "p(95)<1e400",
    "p(95)<1e",
    "p(95)<e5",
    "p(95)<.",
    "p(95)<1e5.5",
    "p(95)<1 000",
    "p(95)<1,000",
    "p(95)<",
    "p(95)",
    "<350",
    "350",
    "p(95)=<350",
    "p(95)=350",
    "p(95)====350",
    "p(95)!==350",
    "p(95)<>350",
    "p(95)>==350",
    "p(95)<<350",
    "p(95)<350<400",
    "p(95)<350;",
    "p(95)<350 && avg<1",
    "average<1",
    "median<1",
    "count<1",
    "rate<1",
    "value<1",
    "Avg<1",
    "avg()<1",
    "p(95)(99)<1",
    "p(95))<1",
    "p((95))<1",
    "1<avg",
    "avg\u{ff1c}1",
    "avg \u{2264} 1",
    "avg<\u{ff11}",
];

/// Expressions that k6 takes: it crashes on percentiles out of range, reads `p` as `p(0)`, and finds every comparison with nan false.
const STRICTER: &[&str] = &[
    "p(-1)<1",
    "p(101)<1",
    "p(nan)<1",
    "p(inf)<1",
    "p<200",
    "p(95)<nan",
    "p(95)<NaN",
];

/// Keys, each with an expression, that k6 takes.
const ACCEPTED_KEYS: &[(&str, &str)] = &[
    ("http_req_duration", "p(95)<1"),
    ("http_req_duration{a:b}", "p(95)<1"),
    ("http_req_duration{a:b,c:d}", "p(95)<1"),
    ("http_req_duration{a:b, c:d}", "p(95)<1"),
    ("http_req_duration{ a : b }", "p(95)<1"),
    ("http_req_duration{a:\"b\"}", "p(95)<1"),
    ("http_req_duration{\"a\":'b'}", "p(95)<1"),
    ("http_req_duration{a:b:c}", "p(95)<1"),
    ("http_req_duration{url:http://x/${}}", "p(95)<1"),
    ("http_req_duration{a:{b}}", "p(95)<1"),
    ("http_req_duration{{a:b}}", "p(95)<1"),
    ("http_req_duration{a:b}{c:d}", "p(95)<1"),
    ("http_req_duration{a:b c}", "p(95)<1"),
    ("http_req_failed", "rate<0.01"),
    ("checks", "rate>0.99"),
    ("checks{check:status is 200}", "rate>0.99"),
    ("http_reqs", "count>1"),
    ("http_reqs", "rate>1"),
    ("vus", "value<10"),
    ("vus_max", "value<10"),
    ("iterations", "count>0"),
    ("iteration_duration", "p(95)<1"),
    ("dropped_iterations", "count<1"),
    ("data_sent", "count<1"),
    ("data_received", "rate<1"),
    ("http_req_waiting", "avg<1"),
    ("http_req_receiving", "avg<1"),
    ("http_req_blocked", "avg<1"),
    ("http_req_connecting", "avg<1"),
    ("http_req_tls_handshaking", "avg<1"),
];

/// Keys, each with an expression, that k6 refuses.
const REFUSED_KEYS: &[(&str, &str)] = &[
    ("http_req_duration{}", "p(95)<1"),
    ("http_req_duration{ }", "p(95)<1"),
    ("http_req_duration{a}", "p(95)<1"),
    ("http_req_duration{a:}", "p(95)<1"),
    ("http_req_duration{a:b,}", "p(95)<1"),
    ("http_req_duration{,a:b}", "p(95)<1"),
    ("http_req_duration{a:b", "p(95)<1"),
    ("http_req_durationa:b}", "p(95)<1"),
    ("http_req_duration}a:b{", "p(95)<1"),
    ("http_req_duration{a:b}x", "p(95)<1"),
    ("http_req_duration{a:b} ", "p(95)<1"),
    ("http_req_duration {a:b}", "p(95)<1"),
    (" http_req_duration", "p(95)<1"),
    ("http_req_duration ", "p(95)<1"),
    ("HTTP_REQ_DURATION", "p(95)<1"),
    ("http_req_duraton", "p(95)<1"),
    ("", "p(95)<1"),
    ("{a:b}", "p(95)<1"),
    ("http_req_duration{a=b}", "p(95)<1"),
    ("http_req_failed", "p(95)<1"),
    ("http_req_failed", "count<1"),
    ("checks", "value>0.99"),
    ("http_reqs", "value>1"),
    ("http_reqs", "avg>1"),
    ("vus", "max<10"),
];

/// k6 takes these: it crashes on an empty name, never matches an empty value, forgets the first of two values; or the metric is not measured here.
const STRICTER_KEYS: &[(&str, &str)] = &[
    ("http_req_duration{a: }", "p(95)<1"),
    ("http_req_duration{:b}", "p(95)<1"),
    ("http_req_duration{a:b,a:c}", "p(95)<1"),
    ("http_req_sending", "avg<1"),
    ("group_duration", "avg<1"),
    ("ws_connecting", "avg<1"),
];

fn duration(expression: &str) -> Result<Threshold, ThresholdError> {
    Threshold::parse("http_req_duration", expression)
}

#[test]
fn accepts_what_k6_accepts() {
    for expression in ACCEPTED {
        duration(expression).unwrap_or_else(|error| panic!("{expression:?}: {error}"));
    }
    for (key, expression) in ACCEPTED_KEYS {
        Threshold::parse(key, expression).unwrap_or_else(|error| panic!("{key:?} {expression:?}: {error}"));
    }
}

#[test]
fn refuses_what_k6_refuses() {
    for expression in REFUSED {
        assert!(duration(expression).is_err(), "{expression:?}");
    }
    for (key, expression) in REFUSED_KEYS {
        assert!(Threshold::parse(key, expression).is_err(), "{key:?} {expression:?}");
    }
}

#[test]
fn refuses_what_means_nothing() {
    for expression in STRICTER {
        let problem = duration(expression).map_err(|error| error.problem);
        assert!(
            matches!(problem, Err(Problem::Percentile | Problem::Limit)),
            "{expression:?}: {problem:?}"
        );
    }
    for (key, expression) in STRICTER_KEYS {
        let problem = Threshold::parse(key, expression).map_err(|error| error.problem);
        assert!(
            matches!(
                problem,
                Err(Problem::Tag | Problem::DuplicateTag | Problem::NotMeasured)
            ),
            "{key:?}: {problem:?}"
        );
    }
}

#[test]
fn an_expression_is_taken_apart() {
    let threshold = Threshold::parse("http_req_duration{op:read}", " p(99.9) <= 1e3 ").unwrap();
    assert_eq!(threshold.key.to_string(), "http_req_duration{op:read}");
    assert_eq!(threshold.expression, "p(99.9) <= 1e3");
    assert_eq!(threshold.aggregation, Aggregation::Percentile(99.9));
    assert_eq!((threshold.operator, threshold.limit), (Operator::LessOrEqual, 1000.0));
    assert_eq!(Threshold::parse_flag(&threshold.to_string()).unwrap(), threshold);
    assert_eq!(duration("avg===1").unwrap().operator, Operator::Equal);
}

#[test]
fn errors_point_at_the_character() {
    let message = |flag: &str| Threshold::parse_flag(flag).unwrap_err().to_string();
    let all: Vec<String> = [
        "http_req_duration=p(95)<350ms",
        "http_req_duration=p(95)<",
        "http_req_duration=p(95)=<350",
        "http_req_duration=p(95)=350",
        "http_req_duration=p95<350",
        "http_req_duration=p(950)<350",
        "http_req_duration=p(95<350",
        "http_req_duration=median<350",
        "http_req_duration=350>avg",
        "http_req_duration=rate<0.01",
        "http_req_failed=rate<1%",
        "http_req_failed=p(95)<1",
        "http_req_duraton=p(95)<350",
        "http_req_duration{op:read=p(95)<350",
        "http_req_duration{op}=p(95)<350",
        "http_req_duration{op:a,op:b}=p(95)<350",
        "http_req_sending=avg<1",
        "p(95)<350",
        "http_req_duration:p(95)<350",
    ]
    .into_iter()
    .map(message)
    .collect();
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let error = duration("avg < \u{e9}\u{e9} 1").unwrap_err();
    assert_eq!((error.column, error.width), (6, 4));
    let error = Threshold::parse("checks{\u{e9}:1,b}", "rate>1").unwrap_err();
    assert_eq!((error.column, error.width), (11, 1));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "\\PC{0,24}", odd in "[a-z(){}<>=!:,0-9. \u{e9}]{0,24}") {
        for flag in [&text, &odd, &format!("http_req_duration={odd}"), &format!("checks{{{odd}}}=rate>1"), &format!("{odd}=p(95)<1")] {
            if let Err(error) = Threshold::parse_flag(flag) {
                prop_assert!(error.column <= error.text.chars().count(), "{error:?}");
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn every_well_formed_threshold_is_read(
        metric in 0..Metric::ALL.len(),
        percent in 0.0..=100.0f64,
        sign in 0..7usize,
        limit in -1e6..1e6f64,
        spaces in "[ \t]{0,2}",
        tags in proptest::collection::btree_map("[a-z_]{1,8}", "[a-zA-Z0-9/?=.]{1,8}", 0..3),
    ) {
        let metric = Metric::ALL[metric];
        let aggregations = match metric.kind() {
            Kind::Trend => vec![format!("p({percent})"), "avg".to_owned(), "min".to_owned(), "max".to_owned(), "med".to_owned()],
            Kind::Rate => vec!["rate".to_owned()],
            Kind::Counter => vec!["count".to_owned(), "rate".to_owned()],
            Kind::Gauge => vec!["value".to_owned()],
        };
        let (sign, operator) = [
            ("<", Operator::Less),
            ("<=", Operator::LessOrEqual),
            (">", Operator::Greater),
            (">=", Operator::GreaterOrEqual),
            ("==", Operator::Equal),
            ("===", Operator::Equal),
            ("!=", Operator::NotEqual),
        ][sign];
        let tags: Vec<(String, String)> = tags.into_iter().collect();
        let key = match tags.as_slice() {
            [] => metric.to_string(),
            tags => format!("{metric}{{{}}}", tags.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join(",")),
        };
        for aggregation in aggregations {
            let expression = format!("{aggregation}{spaces}{sign}{spaces}{limit}");
            let read = Threshold::parse(&key, &expression);
            prop_assert!(read.is_ok(), "{key} {expression}: {read:?}");
            let read = read.unwrap();
            prop_assert_eq!((read.operator, read.limit, read.aggregation.to_string()), (operator, limit, aggregation));
            prop_assert_eq!(&read.key.tags, &tags);
            prop_assert_eq!(Threshold::parse_flag(&read.to_string()), Ok(read));
        }
    }
}
