//! Owns the look at a module's shape before a parser sees it: parsers and their trees recurse, and a module nested or
//! chained a hundred thousand deep would end the process instead of being refused.
//!
//! Counted are brackets that are open at the same time, tokens that can belong to one expression, and how often a parser
//! that tries "comprehension" before "list" reads the same text: the first element of each list twice, so a list that is
//! the first element of a list, and so on, costs twice as much with each level. All limits are far above what people and
//! generators write: long lists and many rules count nothing.

/// Brackets open at the same time.
const DEEPEST: usize = 256;
/// Tokens between two separators.
const LONGEST: usize = 10_000;

/// How often brackets may be read again, in all; those that are read less often than [`CHEAP`] do not count.
const MOST_REREADS: u64 = 100_000;
/// Nesting of this order is normal.
const CHEAP: u64 = 64;

/// Refuses a module whose parse tree could be too deep; gives row and reason.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut shape = Shape::default();
    let mut chars = text.chars().peekable();
    while let Some(letter) = chars.next() {
        match letter {
            '#' => while chars.next_if(|&letter| letter != '\n').is_some() {},
            '`' => {
                shape.token('"')?;
                for letter in chars.by_ref() {
                    shape.rows += usize::from(letter == '\n');
                    if letter == '`' {
                        break;
                    }
                }
            }
            '"' => {
                shape.token('"')?;
                // An unterminated string ends with its line; the parser says so.
                while let Some(letter) = chars.next_if(|&letter| letter != '\n') {
                    match letter {
                        '"' => break,
                        '\\' => drop(chars.next_if(|&letter| letter != '\n')),
                        _ => {}
                    }
                }
            }
            '\n' => {
                // Look ahead a little only: a long stretch of white space must not make this quadratic.
                let next = chars.clone().take(256).find(|letter| !letter.is_whitespace());
                shape.line_ends(next);
            }
            letter if letter.is_whitespace() => shape.in_word = false,
            letter => shape.token(letter)?,
        }
    }
    Ok(())
}

#[derive(Default)]
struct Shape {
    rows: usize,
    open: Vec<Open>,
    rereads: u64,
    run: usize,
    last: Option<char>,
    in_word: bool,
}

/// A bracket that is open.
struct Open {
    /// How often what is in it is read.
    reads: u64,
    /// Whether it is read once more for each look at its first element, and we are in that.
    first: bool,
}

impl Shape {
    /// How often a bracket that opens here is read.
    fn reads(&self) -> u64 {
        self.open
            .last()
            .map_or(1, |outer| outer.reads.saturating_mul(1 + u64::from(outer.first)))
    }

    fn token(&mut self, letter: char) -> Result<(), String> {
        let word = letter.is_alphanumeric() || letter == '_';
        match letter {
            '(' | '[' | '{' => {
                let reads = self.reads();
                if reads >= CHEAP {
                    self.rereads = self.rereads.saturating_add(reads);
                }
                self.open.push(Open {
                    reads,
                    first: letter != '(',
                });
            }
            ')' | ']' | '}' => drop(self.open.pop()),
            ',' | ';' => {
                self.run = 0;
                if let Some(list) = self.open.last_mut() {
                    list.first = false;
                }
            }
            _ => {}
        }
        if !(word && self.in_word) {
            self.run += 1;
        }
        self.in_word = word;
        self.last = Some(letter);
        let row = self.rows + 1;
        if self.rereads > MOST_REREADS {
            return Err(format!(
                "row {row}: lists that begin with lists are nested too deep to be parsed in time"
            ));
        }
        if self.open.len() > DEEPEST {
            return Err(format!(
                "row {row}: more than {DEEPEST} brackets are open at the same time"
            ));
        }
        if self.run > LONGEST {
            return Err(format!("row {row}: an expression has more than {LONGEST} tokens"));
        }
        Ok(())
    }

    /// The end of a line ends an expression, unless one side of it asks for more. `next` is unknown when only white
    /// space and nothing else was seen.
    fn line_ends(&mut self, next: Option<char>) {
        const ASKS: &str = "+-*/%|&=<>!:.([";
        const GOES_ON: &str = "+-*/%|&=<>!:.)([#";
        self.rows += 1;
        self.in_word = false;
        let asks = self.last.is_some_and(|last| ASKS.contains(last));
        let goes_on = next.is_none_or(|next| GOES_ON.contains(next));
        if !asks && !goes_on {
            self.run = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_and_generators_write_passes() {
        let list: Vec<String> = (0..100_000).map(|number| format!("\"k{number}\"")).collect();
        let rules: Vec<String> = (0..100_000).map(|number| format!("x{number} := {number}")).collect();
        let rules = rules.join("\n");
        let body = format!("x if {{\n{}}}\n", "input.a == 1\n".repeat(50_000));
        let elses = format!(
            "x := 1 if {{ input.a }}{}",
            " else := 2 if { input.b }\n".repeat(50_000)
        );
        for text in [format!("x := {{{}}}", list.join(", ")), rules, body, elses] {
            check(&format!("package a\n{text}")).unwrap();
        }
    }

    #[test]
    fn brackets_and_operators_in_strings_and_comments_do_not_count() {
        let deep = "(".repeat(100_000);
        check(&format!(
            "package a\n# {deep}\nx := \"{deep}\\\"{deep}\"\ny := `{deep}\n{deep}`\n"
        ))
        .unwrap();
    }

    #[test]
    fn what_is_too_deep_is_refused_with_its_row() {
        let refused = |text: String| check(&format!("package a\n\nx := {text}\n")).unwrap_err();
        for (open, close) in [("(", ")"), ("[1, ", "]")] {
            assert!(refused(format!("{}1{}", open.repeat(300), close.repeat(300))).starts_with("row 3: more than 256"));
        }
        for (open, close) in [
            ("[", "]"),
            ("{\"a\": ", "}"),
            ("{\n", "}"),
            ("[(", ")]"),
            ("{f([", "])}"),
        ] {
            assert!(
                refused(format!("{}1{}", open.repeat(40), close.repeat(40))).contains("begin with lists"),
                "{open:?}"
            );
        }
        let ones = vec!["1"; 100_000];
        assert!(refused(ones.join("+")).starts_with("row 3: an expression"));
        for join in [" +\n", "\n+ ", "\n# why\n+ ", " + # why\n"] {
            assert!(refused(ones.join(join)).contains("an expression"), "{join:?}");
        }
        for link in [".a", "[0]", "\n[0]", "[\n0]"] {
            assert!(
                refused(format!("y{}", link.repeat(100_000))).contains("an expression"),
                "{link:?}"
            );
        }
        assert!(refused("not ".repeat(100_000)).contains("an expression"));
    }

    /// The limits and the stack belong together: whatever passes can be parsed, analysed and dropped.
    #[test]
    fn what_passes_does_not_overflow_the_stack() {
        let texts = [
            format!("{}1{}", "[1, ".repeat(255), "]".repeat(255)),
            format!("{}1{}", "[".repeat(13), "]".repeat(13)),
            vec!["1"; 4_990].join("+"),
            format!("input{}", ".a".repeat(4_990)),
            format!("input{}", "[0]".repeat(3_300)),
            format!("{}1", "- ".repeat(9_900)),
        ];
        let parse = move || {
            for text in texts {
                let module = format!("package a\n\nx := {text}\n");
                check(&module).unwrap();
                let mut engine = super::super::engine();
                // Whether the interpreter likes it does not matter here, only that it comes back.
                if super::super::add(&mut engine, "a.rego", &module, 1).is_ok() {
                    let _ = super::super::decide(&mut engine, &["a".to_owned(), "x".to_owned()]);
                }
            }
        };
        std::thread::Builder::new()
            .stack_size(crate::STACK)
            .spawn(parse)
            .unwrap()
            .join()
            .unwrap();
    }
}
