//! Owns the query language, as far as clients of MC use it. Fragments and directives are refused by name: a simulator that
//! guesses at them would be no stand-in.

use serde_json::{Map, Number, Value};

/// One operation of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) name: Option<String>,
    pub(super) variables: Vec<Variable>,
    pub(super) selection: Vec<Field>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Mutation,
}

/// `$name: Type = default`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variable {
    pub(super) name: String,
    /// As written: `String!`, `[ID!]`.
    pub(super) of: String,
    pub(super) default: Option<Value>,
}

/// `alias: name(arguments) { selection }`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) arguments: Vec<(String, Argument)>,
    pub(super) selection: Vec<Field>,
}

/// A value that may have variables in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    Variable(String),
    Value(Value),
    List(Vec<Argument>),
    Object(Vec<(String, Argument)>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    /// Text, number: a value as JSON has it.
    Literal(Value),
    Sign(char),
    Spread,
}

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Vec<Operation>, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    let mut operations = Vec::new();
    while parser.peek().is_some() {
        operations.push(parser.operation()?);
    }
    if operations.is_empty() {
        return Err("Syntax Error: Unexpected <EOF>.".to_owned());
    }
    Ok(operations)
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let take = |rest: &mut &str, length: usize| -> String {
            let (head, tail) = rest.split_at(length);
            *rest = tail;
            head.to_owned()
        };
        match c {
            ' ' | '\t' | '\r' | '\n' | ',' | '\u{feff}' => {
                take(&mut rest, c.len_utf8());
            }
            '#' => {
                let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
                take(&mut rest, length);
            }
            '.' if rest.starts_with("...") => {
                take(&mut rest, 3);
                tokens.push(Token::Spread);
            }
            '"' if rest.starts_with("\"\"\"") => return Err("block strings are not simulated".to_owned()),
            '"' => {
                let length = end_of_text(rest).ok_or("Syntax Error: Unterminated string.")?;
                let literal = take(&mut rest, length);
                // Both escape in the same way, but for the braces of newer GraphQL.
                let value = serde_json::from_str(&literal).map_err(|error| format!("Syntax Error: {error}"))?;
                tokens.push(Token::Literal(value));
            }
            '-' | '0'..='9' => {
                let length = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
                    .unwrap_or(rest.len());
                let literal = take(&mut rest, length);
                let number: Number = serde_json::from_str(&literal)
                    .map_err(|_| format!("Syntax Error: Invalid number, {literal:?}."))?;
                tokens.push(Token::Literal(Value::Number(number)));
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                tokens.push(Token::Name(take(&mut rest, length)));
            }
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | '$' | '!' | '=' | '@' => {
                take(&mut rest, 1);
                tokens.push(Token::Sign(c));
            }
            other => {
                return Err(format!(
                    "Syntax Error: Cannot parse the unexpected character {other:?}."
                ));
            }
        }
    }
    Ok(tokens)
}

/// Length of the text literal at the start, quotes included.
fn end_of_text(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, String> {
        let token = self.peek().cloned().ok_or("Syntax Error: Unexpected <EOF>.")?;
        self.at += 1;
        Ok(token)
    }

    /// Takes the sign, if it is next.
    fn take(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        match self.next()? {
            Token::Sign(found) if found == sign => Ok(()),
            other => Err(format!("Syntax Error: Expected {sign:?}, found {other:?}.")),
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next()? {
            Token::Name(name) => Ok(name),
            other => Err(format!("Syntax Error: Expected Name, found {other:?}.")),
        }
    }

    fn operation(&mut self) -> Result<Operation, String> {
        let kind = match self.peek() {
            Some(Token::Sign('{')) => Kind::Query,
            _ => match self.name()?.as_str() {
                "query" => Kind::Query,
                "mutation" => Kind::Mutation,
                other => return Err(format!("Syntax Error: Unexpected Name {other:?} (not simulated).")),
            },
        };
        let name = match self.peek() {
            Some(Token::Name(_)) => Some(self.name()?),
            _ => None,
        };
        let mut variables = Vec::new();
        if self.take('(') {
            while !self.take(')') {
                variables.push(self.variable()?);
            }
        }
        Ok(Operation {
            kind,
            name,
            variables,
            selection: self.selection()?,
        })
    }

    fn variable(&mut self) -> Result<Variable, String> {
        self.expect('$')?;
        let name = self.name()?;
        self.expect(':')?;
        let mut of = String::new();
        loop {
            match self.next()? {
                Token::Name(name) => of.push_str(&name),
                Token::Sign(sign @ ('[' | ']' | '!')) => of.push(sign),
                other => return Err(format!("Syntax Error: Expected a type, found {other:?}.")),
            }
            if matches!(self.peek(), None | Some(Token::Sign('$' | ')' | '=' | '@'))) {
                break;
            }
        }
        let default = if self.take('=') {
            match self.argument()? {
                Argument::Value(value) => Some(value),
                _ => return Err("defaults that are lists or objects are not simulated".to_owned()),
            }
        } else {
            None
        };
        Ok(Variable { name, of, default })
    }

    fn selection(&mut self) -> Result<Vec<Field>, String> {
        self.expect('{')?;
        let mut fields = Vec::new();
        while !self.take('}') {
            fields.push(self.field()?);
        }
        if fields.is_empty() {
            return Err("Syntax Error: Expected Name, found \"}\".".to_owned());
        }
        Ok(fields)
    }

    fn field(&mut self) -> Result<Field, String> {
        if self.peek() == Some(&Token::Spread) {
            return Err("fragments are not simulated".to_owned());
        }
        let key = self.name()?;
        let mut name = key.clone();
        if self.take(':') {
            name = self.name()?;
        }
        let mut arguments = Vec::new();
        if self.take('(') {
            while !self.take(')') {
                let argument = self.name()?;
                self.expect(':')?;
                arguments.push((argument, self.argument()?));
            }
        }
        if self.peek() == Some(&Token::Sign('@')) {
            return Err("directives are not simulated".to_owned());
        }
        let selection = match self.peek() {
            Some(Token::Sign('{')) => self.selection()?,
            _ => Vec::new(),
        };
        Ok(Field {
            key,
            name,
            arguments,
            selection,
        })
    }

    fn argument(&mut self) -> Result<Argument, String> {
        Ok(match self.next()? {
            Token::Sign('$') => Argument::Variable(self.name()?),
            Token::Literal(value) => Argument::Value(value),
            Token::Name(name) => Argument::Value(match name.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                // The contract has no enums.
                other => return Err(format!("Syntax Error: Unexpected enum value {other:?}.")),
            }),
            Token::Sign('[') => {
                let mut items = Vec::new();
                while !self.take(']') {
                    items.push(self.argument()?);
                }
                Argument::List(items)
            }
            Token::Sign('{') => {
                let mut members = Vec::new();
                while !self.take('}') {
                    let name = self.name()?;
                    self.expect(':')?;
                    members.push((name, self.argument()?));
                }
                Argument::Object(members)
            }
            other => return Err(format!("Syntax Error: Unexpected {other:?}.")),
        })
    }
}

impl Argument {
    /// The value, with the variables filled in; a variable that was not given is none.
    pub(super) fn resolve(&self, variables: &Map<String, Value>) -> Option<Value> {
        Some(match self {
            Self::Variable(name) => variables.get(name)?.clone(),
            Self::Value(value) => value.clone(),
            Self::List(items) => items
                .iter()
                .map(|item| item.resolve(variables).unwrap_or(Value::Null))
                .collect(),
            Self::Object(members) => {
                let given = members
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), value.resolve(variables)?)));
                Value::Object(given.collect())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_as_clients_write_them() {
        let operations = parse(
            "# asks\nquery Ok($s: String!, $n: [Int!] = 3, $r: ID!) { a: evidenceOk(service: $s, releaseId: $r) { ok, reasons } }\n\
             mutation { publishEvidence(input: {service: \"a\\\"b\", slo: {p95Ms: 3, tags: [1, -2.5e3, null, true]}}) { id } }",
        )
        .unwrap();
        let [query, mutation] = operations.as_slice() else {
            panic!("{operations:?}")
        };
        assert_eq!((query.kind, query.name.as_deref()), (Kind::Query, Some("Ok")));
        assert_eq!(query.variables[1].of, "[Int!]");
        assert_eq!(query.variables[1].default, Some(json!(3)));
        let field = &query.selection[0];
        assert_eq!(
            (field.key.as_str(), field.name.as_str(), field.selection.len()),
            ("a", "evidenceOk", 2)
        );
        let given = Map::from_iter([("s".to_owned(), json!("cos"))]);
        assert_eq!(field.arguments[0].1.resolve(&given), Some(json!("cos")));
        assert_eq!(field.arguments[1].1.resolve(&given), None);
        assert_eq!(mutation.kind, Kind::Mutation);
        assert_eq!(
            mutation.selection[0].arguments[0].1.resolve(&given),
            Some(json!({"service": "a\"b", "slo": {"p95Ms": 3, "tags": [1, -2500.0, null, true]}}))
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, says) in [
            ("", "<EOF>"),
            ("{", "<EOF>"),
            ("{ }", "Expected Name"),
            ("{ a ", "<EOF>"),
            ("{ a(b: ENUM) }", "enum"),
            ("{ ...f }", "fragments"),
            ("{ a @skip(if: true) }", "directives"),
            ("subscription { a }", "subscription"),
            ("{ a(b: \"x) }", "Unterminated"),
            ("{ a(b: 01) }", "Invalid number"),
            ("{ a ? }", "unexpected character"),
        ] {
            assert!(parse(text).unwrap_err().contains(says), "{text}: {:?}", parse(text));
        }
    }
}
