//! Words for messages: carets, lists, and the nearest known name.

/// Longest excerpt of a line, in characters.
const WIDTH: usize = 100;

/// The line of `text` around byte `at`, and carets under `length` bytes from there.
pub(crate) fn caret(text: &str, at: usize, length: usize) -> String {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let before = text[start..at].chars().count();
    let marked = text[at..end.min(at + length)].chars().count().max(1);
    // A body on one line can be long: show the part around the place.
    let skip = before.saturating_sub(WIDTH / 2);
    let line: String = text[start..end]
        .chars()
        .skip(skip)
        .take(WIDTH)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let marked = marked.min(WIDTH);
    format!("  {line}\n  {}{}", " ".repeat(before - skip), "^".repeat(marked))
}

/// `a, b and c`.
pub(crate) fn list(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// The known name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_is_under_the_place() {
        assert_eq!(caret("one\ntwo three\nfour", 8, 5), "  two three\n      ^^^^^");
        assert_eq!(caret("äöü {{x}}", 7, 5), "  äöü {{x}}\n      ^^^^^");
        let long = format!("{}X{}", "a".repeat(300), "b".repeat(300));
        let shown = caret(&long, 300, 1);
        let (line, mark) = shown.split_once('\n').unwrap();
        assert_eq!(line.find('X'), mark.find('^'));
        assert!(line.len() < 110);
    }

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("raet", ["rate", "duration"]), Some("rate"));
        assert_eq!(nearest("timeunit", ["timeUnit", "rate"]), Some("timeUnit"));
        assert_eq!(nearest("zzz", ["rate", "duration"]), None);
    }

    #[test]
    fn lists_read_well() {
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a"]), "a");
    }
}
