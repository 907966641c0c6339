//! Owns words for messages: what strangers wrote, made safe to show, and the nearest known name.

/// Longest excerpt of what was found, in characters.
const WIDTH: usize = 80;

/// What somebody wrote, between backquotes: on one line, without control characters, not too long.
pub(crate) fn quoted(found: &str) -> String {
    format!("`{}`", plain(found))
}

/// What somebody wrote: on one line, without control characters or letters that turn the line around, not too long.
pub(crate) fn plain(found: &str) -> String {
    let mut shown = String::new();
    for (index, letter) in found.chars().enumerate() {
        if index == WIDTH {
            shown.push_str("...");
            break;
        }
        if letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// The known name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(WIDTH).collect::<String>().to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&name, &known.to_lowercase()), known))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_stays_on_its_line() {
        assert_eq!(quoted("a\nb\u{1b}[31m\u{202e}c"), "`a\\nb\\u{1b}[31m\\u{202e}c`");
        assert_eq!(plain(&"x".repeat(200)).len(), WIDTH + 3);
        assert_eq!(plain("Grüße"), "Grüße");
    }

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("colum", ["column", "days"]), Some("column"));
        assert_eq!(nearest("anonymize", ["delete", "anonymise"]), Some("anonymise"));
        assert_eq!(nearest("zzz", ["column", "days"]), None);
    }
}
