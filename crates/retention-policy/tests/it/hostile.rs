//! Documents made to hurt: each is refused quickly, and in few words.

use crate::support::{delete, load};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The error, which comes in time and is short.
fn refused(name: &str, content: impl AsRef<[u8]>) -> String {
    let start = Instant::now();
    let said = load(name, content).expect_err("refused").to_string();
    // Without optimisation and beside other tests; the worst of them takes a twentieth of it, and hours without the limits.
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?} for {said}",
        start.elapsed()
    );
    assert!(said.len() < 1000, "{said}");
    said
}

fn deep(open: &str, levels: usize) -> String {
    open.repeat(levels)
}

#[test]
fn documents_that_grow() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let inner = format!("*a{}", level - 1);
        let list = [inner.as_str(); 10].join(", ");
        writeln!(laughs, "a{level}: &a{level} [{list}]").unwrap();
    }
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), "*a, ".repeat(100_000));
    let wide = format!("a: &a [{}]\nb: [{}]\n", "1, ".repeat(100_000), "*a, ".repeat(100_000));
    let itself = "a: &a [*a]\n";
    insta::assert_snapshot!(
        [
            refused("p.yaml", laughs),
            refused("p.yaml", long),
            refused("p.yaml", wide),
            refused("p.yaml", itself),
            refused("p.json", format!("[{}1]", "1,".repeat(500_000))),
            refused("p.json", vec![b' '; (1 << 20) + 1]),
        ]
        .join("\n\n")
    );
}

#[test]
fn documents_that_are_deep() {
    let most = 1 << 20;
    let said: Vec<String> = [
        ("p.json", deep("[", most)),
        ("p.json", deep("{\"a\":", most / 5)),
        ("p.yaml", deep("[", most)),
        ("p.yaml", deep("{a: ", most / 4)),
        ("p.yaml", deep("{a: ", 16_000)),
        ("p.yaml", deep("{a: ", 1000) + &deep("1, ", most / 3 - 2000)),
        (
            "p.yaml",
            (0..most / 16).fold(String::new(), |all, tag| all + &format!("%TAG !a{tag}! x\n")),
        ),
        ("p.yaml", deep("- ", most / 2)),
        ("p.yaml", deep("? ", most / 2)),
        ("p.yaml", deep("[{a: ", most / 5)),
        (
            "p.yaml",
            (0..1000).fold(String::new(), |all, level| all + &" ".repeat(level) + "a:\n"),
        ),
        ("p.json", format!("{}1{}", deep("[", 65), deep("]", 65))),
        ("p.yaml", format!("{}1{}", deep("[", 65), deep("]", 65))),
    ]
    .map(|(name, text)| refused(name, text))
    .into();
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn documents_that_are_wide_are_read_in_time() {
    let start = Instant::now();
    let values = (0..100_000)
        .map(|number| format!("{number}"))
        .collect::<Vec<_>>()
        .join(", ");
    let got = load(
        "p.yaml",
        delete(&format!("where: [{{ column: c, op: in, value: [{values}] }}]")),
    );
    got.unwrap();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn names_that_would_disturb_a_terminal() {
    let evil = "\\u001b[2J\\u202e\\nok: ";
    insta::assert_snapshot!(
        [
            refused("p.json", format!("{{\"{evil}\": 1}}")),
            refused("p.json", format!("{{\"{evil}\": null}}")),
            refused("p.json", format!("{{\"a\": 1, \"{evil}\": {{\"a\": 1, \"a\": 2}}}}")),
            refused("p.json", format!("{{\"{evil}\": 1, \"{evil}\": 2}}")),
            refused("p.json", format!("{{\"grace_seconds\": \"{evil}\"}}")),
            refused("p.json", format!("{{\"rules\": [{{\"name\": \"{evil}\", \"table\": \"t\", \"action\": \"delete\", \"age\": {{\"column\": \"a\", \"days\": 1}}}}]}}")),
            refused("p.json", format!("{{\"rules\": [{{\"name\": \"a\", \"table\": \"t\", \"action\": \"{evil}\"}}]}}")),
            refused("p.json", format!("{{\"rules\": [{{\"name\": \"a\", \"table\": \"t\", \"action\": {{\"anonymise\": {{\"{evil}\": \"x\"}}}}}}]}}")),
            refused("p.json", format!("{{\"{}\": 1}}", "x".repeat(100_000))),
            refused("p.json", format!("{{\"x`, expected one of `a`, `b\": 1, \"{}\": 2}}", "y".repeat(1000))),
        ]
        .join("\n\n")
    );
}
