//! What a right answer is, decided a second time and in another way: a reader of JSON of its own that keeps every token as
//! it was written, and the rules of the contract on top of it. It shares no line with what it judges.

use super::mutate::Answer;

/// MC's word in a right answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Yes,
    No,
}

/// JSON with numbers as they were written.
#[derive(Debug, PartialEq)]
enum Node {
    Word(&'static str),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// MC's word; none when this is no right answer about the service.
pub(super) fn word(answer: &Answer, service: &str) -> Option<Word> {
    let media_type = answer.content_type.as_deref()?.split(';').next()?.trim().to_lowercase();
    let right_kind = media_type == "application/json" || media_type == "application/graphql-response+json";
    if answer.status != 200 || !right_kind {
        return None;
    }
    let text = std::str::from_utf8(&answer.body).ok()?;
    let mut reader = Reader { rest: text };
    let document = reader.value()?;
    reader.blanks();
    if !reader.rest.is_empty() {
        return None;
    }
    let top = members(&document)?;
    if top.iter().any(|(name, _)| name != "data" && name != "extensions") {
        return None;
    }
    let [evidence] = exactly(get(top, "data")?, ["evidenceOk"])?;
    let [ok, reasons, snapshot, cost] = exactly(evidence, ["ok", "reasons", "snapshot", "cost"])?;
    let [of, p95, p99, error_rate, window] = exactly(snapshot, ["service", "p95Ms", "p99Ms", "errorRate", "window"])?;
    let Node::List(reasons) = reasons else { return None };
    let all_texts = reasons.iter().all(|reason| matches!(reason, Node::Text(_)));
    let p95 = whole(p95)?;
    let p99_fits = *p99 == Node::Word("null") || (p95..=2_147_483_647).contains(&whole(p99)?);
    let window_says = matches!(window, Node::Text(text) if text.chars().any(|c| !c.is_whitespace() && !c.is_control()));
    let right = all_texts
        && *of == Node::Text(service.to_owned())
        && (1..2_147_483_647).contains(&p95)
        && p99_fits
        && (0.0..=1.0).contains(&number(error_rate)?)
        && window_says
        && cost_fits(cost);
    match ok {
        Node::Word("true") if right && reasons.is_empty() => Some(Word::Yes),
        Node::Word("false") if right => Some(Word::No),
        _ => None,
    }
}

fn cost_fits(cost: &Node) -> bool {
    let figure = |node: &Node| *node == Node::Word("null") || number(node).is_some_and(|figure| figure >= 0.0);
    *cost == Node::Word("null")
        || exactly(cost, ["graphqlPerMillionUsd", "ingestPerThousandUsd"])
            .is_some_and(|figures| figures.into_iter().all(figure))
}

fn members(node: &Node) -> Option<&[(String, Node)]> {
    match node {
        Node::Object(members) => Some(members),
        _ => None,
    }
}

fn get<'a>(members: &'a [(String, Node)], name: &str) -> Option<&'a Node> {
    members.iter().find(|(found, _)| found == name).map(|(_, node)| node)
}

/// The members of an object that has these and no others. No name is there twice: the reader refuses that.
fn exactly<'a, const N: usize>(node: &'a Node, names: [&str; N]) -> Option<[&'a Node; N]> {
    let members = members(node)?;
    if members.len() != N {
        return None;
    }
    let mut found = Vec::new();
    for name in names {
        found.push(get(members, name)?);
    }
    found.try_into().ok()
}

/// A whole number, written as one.
fn whole(node: &Node) -> Option<i64> {
    match node {
        Node::Number(text) if text.chars().all(|c| c.is_ascii_digit() || c == '-') => text.parse().ok(),
        _ => None,
    }
}

fn number(node: &Node) -> Option<f64> {
    match node {
        Node::Number(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn take(&mut self, text: &str) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self) -> Option<Node> {
        for word in ["true", "false", "null"] {
            if self.take(word) {
                return Some(Node::Word(word));
            }
        }
        if self.take("{") {
            return self.object();
        }
        if self.take("[") {
            let mut items = Vec::new();
            if self.take("]") {
                return Some(Node::List(items));
            }
            loop {
                items.push(self.value()?);
                if self.take("]") {
                    return Some(Node::List(items));
                }
                if !self.take(",") {
                    return None;
                }
            }
        }
        if self.take("\"") {
            return self.text().map(Node::Text);
        }
        self.number()
    }

    fn object(&mut self) -> Option<Node> {
        let mut members: Vec<(String, Node)> = Vec::new();
        if self.take("}") {
            return Some(Node::Object(members));
        }
        loop {
            if !self.take("\"") {
                return None;
            }
            let name = self.text()?;
            if get(&members, &name).is_some() || !self.take(":") {
                return None;
            }
            members.push((name, self.value()?));
            if self.take("}") {
                return Some(Node::Object(members));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    /// After the opening quote.
    fn text(&mut self) -> Option<String> {
        let mut units: Vec<u16> = Vec::new();
        loop {
            let c = self.rest.chars().next()?;
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '"' => return String::from_utf16(&units).ok(),
                '\\' => {
                    let escape = self.rest.chars().next()?;
                    self.rest = &self.rest[escape.len_utf8()..];
                    let plain = match escape {
                        '"' | '\\' | '/' => escape,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'u' => {
                            let digits = self.rest.get(..4)?;
                            if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
                                return None;
                            }
                            units.push(u16::from_str_radix(digits, 16).ok()?);
                            self.rest = &self.rest[4..];
                            continue;
                        }
                        _ => return None,
                    };
                    units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
                }
                c if u32::from(c) < 0x20 => return None,
                c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
    }

    /// `-`, digits without a leading zero, a fraction, an exponent.
    fn number(&mut self) -> Option<Node> {
        self.blanks();
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)))
            .unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole) || leading_zero || !fraction.is_none_or(digits) || !exponent.is_none_or(digits) {
            return None;
        }
        self.rest = rest;
        Some(Node::Number(text.to_owned()))
    }
}

#[test]
fn the_oracle_knows_right_from_wrong() {
    use super::mutate::{BAD, GOOD};
    let word = |body: &str| word(&Answer::json(body), "cos");
    assert_eq!(word(GOOD), Some(Word::Yes));
    assert_eq!(word(BAD), Some(Word::No));
    for (from, to) in [
        ("true", "\"true\""),
        ("210", "0"),
        ("210", "210.0"),
        ("320", "200"),
        ("0.001", "1.5"),
        ("15m", " "),
        ("\"cos\"", "\"cox\""),
        ("[]", "[\"why\"]"),
        ("{\"data\"", "{\"errors\":[],\"data\""),
        ("\"ok\":", "\"ok\":true,\"ok\":"),
    ] {
        assert_ne!(GOOD.replacen(from, to, 1), GOOD, "{from}");
        assert_eq!(word(&GOOD.replacen(from, to, 1)), None, "{from} -> {to}");
    }
}
