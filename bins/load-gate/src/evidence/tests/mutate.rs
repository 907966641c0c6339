//! Mutations of a good and of a bad answer: in bits, in bytes, in tokens, in structure, and in what surrounds the body.

use serde_json::{Value, json};

pub(super) const GOOD: &str = r#"{"data":{"evidenceOk":{"ok":true,"reasons":[],"snapshot":{"service":"cos","p95Ms":210,"p99Ms":320,"errorRate":0.001,"window":"15m"},"cost":{"graphqlPerMillionUsd":1.4,"ingestPerThousandUsd":null}}}}"#;
pub(super) const BAD: &str = r#"{"data":{"evidenceOk":{"ok":false,"reasons":["p95 900 ms is over the budget of 350 ms"],"snapshot":{"service":"cos","p95Ms":900,"p99Ms":null,"errorRate":0.05,"window":"15m"},"cost":null}}}"#;

const TOKENS: [&str; 24] = [
    "true",
    "false",
    "null",
    "\"true\"",
    "\"ok\"",
    "0",
    "1",
    "-1",
    "350",
    "210.0",
    "2147483648",
    "1e3",
    "0.5",
    "1.5",
    "{}",
    "[]",
    "[true]",
    "\"cos\"",
    "\"other\"",
    "\"\"",
    "\"data\"",
    "\"errors\"",
    "\"reasons\"",
    "\"window\"",
];

/// Numbers that look random and are the same in each run (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end.max(1) as u64).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// What a server says.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(body: &str) -> Self {
        Self {
            status: 200,
            content_type: Some("application/json".to_owned()),
            body: body.as_bytes().to_vec(),
        }
    }
}

pub(super) fn answer(dice: &mut Dice) -> Answer {
    let mut answer = Answer::json(dice.of(&[GOOD, BAD]));
    for _ in 0..=dice.below(3) {
        match dice.below(12) {
            0 => bits(dice, &mut answer.body),
            1 => bytes(dice, &mut answer.body),
            2 | 3 => tokens(dice, &mut answer.body),
            4..=6 => structure(dice, &mut answer.body),
            7 | 8 => harmless(dice, &mut answer.body),
            9 => twice(dice, &mut answer.body),
            10 => around(dice, &mut answer.body),
            _ => http(dice, &mut answer),
        }
    }
    answer
}

fn bits(dice: &mut Dice, body: &mut [u8]) {
    for _ in 0..=dice.below(3) {
        if body.is_empty() {
            return;
        }
        let at = dice.below(body.len());
        body[at] ^= 1 << dice.below(8);
    }
}

fn bytes(dice: &mut Dice, body: &mut Vec<u8>) {
    let from = dice.below(body.len() + 1);
    let to = (from + dice.below(30)).min(body.len());
    match dice.below(4) {
        0 => drop(body.drain(from..to)),
        1 => {
            let copy = body[from..to].to_vec();
            let at = dice.below(body.len() + 1);
            body.splice(at..at, copy);
        }
        2 => body.truncate(from),
        _ => body.insert(from, b"{}[]\",:tfn0 \\\x00\xff"[dice.below(15)]),
    }
}

/// Cuts JSON text into its tokens: texts, words and numbers, signs.
fn cut(body: &[u8]) -> Vec<Vec<u8>> {
    let mut cut: Vec<Vec<u8>> = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        let length = match rest[0] {
            b'"' => rest[1..]
                .iter()
                .position(|byte| *byte == b'"')
                .map_or(rest.len(), |end| end + 2),
            byte if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => rest
                .iter()
                .position(|byte| !(byte.is_ascii_alphanumeric() || b"+-.".contains(byte)))
                .unwrap_or(rest.len()),
            _ => 1,
        };
        cut.push(rest[..length].to_vec());
        at += length;
    }
    cut
}

fn tokens(dice: &mut Dice, body: &mut Vec<u8>) {
    let mut tokens = cut(body);
    if tokens.is_empty() {
        return;
    }
    let (one, other) = (dice.below(tokens.len()), dice.below(tokens.len()));
    match dice.below(4) {
        0 => tokens.swap(one, other),
        1 => tokens[one] = dice.of(&TOKENS).as_bytes().to_vec(),
        2 => tokens[one] = tokens[other].clone(),
        _ => {
            // A word or a number, so that the text often stays JSON.
            let plain: Vec<usize> = (0..tokens.len())
                .filter(|at| tokens[*at].first().is_some_and(u8::is_ascii_alphanumeric))
                .collect();
            if !plain.is_empty() {
                let at = plain[dice.below(plain.len())];
                tokens[at] = dice.of(&TOKENS).as_bytes().to_vec();
            }
        }
    }
    *body = tokens.concat();
}

/// Changes the value and writes it again; what is no JSON any more stays.
fn structure(dice: &mut Dice, body: &mut Vec<u8>) {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let paths = paths(&value);
    let path = paths[dice.below(paths.len())].clone();
    let other: Value = match dice.below(6) {
        0 => serde_json::from_str(dice.of(&TOKENS)).unwrap(),
        1 => value
            .pointer(&paths[dice.below(paths.len())])
            .cloned()
            .unwrap_or_default(),
        2 => {
            let other: Value = serde_json::from_str(dice.of(&[GOOD, BAD])).unwrap();
            other.pointer(&path).cloned().unwrap_or_default()
        }
        // A structure as the list of its values, which some readers take for the same.
        3 => match value.pointer(&path) {
            Some(Value::Object(members)) => members.values().cloned().collect(),
            Some(other) => json!([other]),
            None => Value::Null,
        },
        4 => match value.pointer(&path) {
            Some(Value::String(text)) => json!([text]),
            Some(other) => json!(other.to_string()),
            None => Value::Null,
        },
        _ => {
            if let Some(Value::Object(members)) = value.pointer_mut(&path) {
                let names: Vec<String> = members.keys().cloned().collect();
                if !names.is_empty() && dice.below(2) == 0 {
                    members.remove(&names[dice.below(names.len())]);
                } else {
                    let name = dice.of(&["errors", "extensions", "ok", "Ok", "reasons", "data", "createdAt"]);
                    members.insert(name.to_owned(), serde_json::from_str(dice.of(&TOKENS)).unwrap());
                }
                *body = value.to_string().into_bytes();
            }
            return;
        }
    };
    if let Some(at) = value.pointer_mut(&path) {
        *at = other;
    }
    *body = value.to_string().into_bytes();
}

fn paths(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        match value {
            Value::Object(members) => members
                .iter()
                .for_each(|(name, value)| walk(value, &format!("{path}/{}", name.replace('/', "~1")), found)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(at, value)| walk(value, &format!("{path}/{at}"), found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// Changes that leave a right answer right.
fn harmless(dice: &mut Dice, body: &mut Vec<u8>) {
    let Ok(text) = String::from_utf8(body.clone()) else {
        return;
    };
    let changed = match dice.below(5) {
        0 => text.replace(',', " ,\n\t"),
        1 => text.replacen("\"ok\"", "\"\\u006f\\u006B\"", 1),
        2 => text.replacen("\"cos\"", "\"c\\u006fs\"", 1),
        3 => text.replacen("{\"data\"", "{\"extensions\":{\"took\":[1,{}]},\"data\"", 1),
        _ => serde_json::from_str::<Value>(&text).map_or(text.clone(), |value| format!(" {value:#}\r\n")),
    };
    *body = changed.into_bytes();
}

/// A member that is there twice.
fn twice(dice: &mut Dice, body: &mut Vec<u8>) {
    let Ok(text) = String::from_utf8(body.clone()) else {
        return;
    };
    let member = dice.of(&[
        "\"ok\":",
        "\"snapshot\":",
        "\"reasons\":",
        "\"service\":",
        "\"data\":",
        "\"evidenceOk\":",
    ]);
    let value = dice.of(&["true", "false", "null", "[]", "{}", "\"cos\"", "1"]);
    *body = if dice.below(2) == 0 {
        text.replacen(member, &format!("{member}{value},{member}"), 1)
    } else {
        // At the end of its object, where the last one wins in many readers.
        text.replacen(",\"cost\"", &format!(",{member}{value},\"cost\""), 1)
    }
    .into_bytes();
}

/// What comes before and after the document.
fn around(dice: &mut Dice, body: &mut Vec<u8>) {
    match dice.below(6) {
        0 => drop(body.splice(0..0, *b"\xef\xbb\xbf")),
        1 => body.extend_from_within(..),
        2 => body.extend_from_slice(dice.of(&[GOOD, BAD, "x", "\0", "}", "<!-- -->", "//"]).as_bytes()),
        3 => *body = b"<!doctype html><title>Sign in</title>".to_vec(),
        4 => body.clear(),
        _ => *body = [b")]}'\n", body.as_slice()].concat(),
    }
}

fn http(dice: &mut Dice, answer: &mut Answer) {
    if dice.below(2) == 0 {
        answer.status = [201, 202, 203, 204, 206, 301, 302, 400, 401, 403, 404, 429, 500, 503][dice.below(14)];
    } else {
        answer.content_type = [
            None,
            Some("text/html"),
            Some("text/plain"),
            Some("application/jsonp"),
            Some("application/json; charset=utf-8"),
            Some("application/graphql-response+json"),
            Some("APPLICATION/JSON"),
        ][dice.below(7)]
        .map(str::to_owned);
    }
}
