//! Names of entries: what a safe one is, and whether two of them would be one file somewhere.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;

use crate::limits::{Limits, within};
use crate::refusal::Refusal;

/// A safe path without `./` and empty parts. Empty for the archive's own root (`./`).
///
/// Refused: absolute, `..`, not UTF-8, control and invisible characters, backslashes, too long, too deep.
pub(crate) fn normalise(raw: &[u8], limits: &Limits) -> Result<String, Refusal> {
    let refuse = |why: &str| Err(unsafe_entry(raw, why));
    let Ok(name) = std::str::from_utf8(raw) else {
        return refuse("the name is not UTF-8");
    };
    if name.is_empty() {
        return refuse("the name is empty");
    }
    if name.chars().any(char::is_control) {
        return refuse("the name has a control character");
    }
    if name.chars().any(is_invisible) {
        return refuse("the name has an invisible or direction-changing character");
    }
    if name.contains('\\') {
        return refuse("the name has a backslash, which is a separator on some machines");
    }
    if name.starts_with('/') {
        return refuse("the path is absolute");
    }
    let mut path = String::with_capacity(name.len());
    let mut depth = 0;
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return refuse("the path climbs out with .."),
            part => {
                depth += 1;
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(part);
            }
        }
    }
    within("max_path_bytes", limits.max_path_bytes, path.len())?;
    within("max_path_depth", limits.max_path_depth, depth)?;
    Ok(path)
}

/// The refusal of an entry; its name is shortened and escaped by the message.
pub(crate) fn unsafe_entry(name: &[u8], why: &str) -> Refusal {
    let entry = String::from_utf8_lossy(name).chars().take(300).collect();
    Refusal::ArchiveUnsafe {
        entry,
        why: why.to_owned(),
    }
}

/// Characters that show nothing, so that two names look the same, or that reorder the text around them.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
}

/// All names seen so far, by a form in which names that some file system takes for one are equal.
#[derive(Debug, Default)]
pub(crate) struct Names {
    seen: HashMap<String, (String, Kind)>,
}

impl Names {
    /// Takes a file's normalised path; `Err` says why it cannot stand beside the others.
    pub(crate) fn file(&mut self, path: &str) -> Result<(), String> {
        self.add(path, Kind::File)
    }

    /// Takes a directory's normalised path. The same directory may come again.
    pub(crate) fn directory(&mut self, path: &str) -> Result<(), String> {
        if path.is_empty() {
            Ok(())
        } else {
            self.add(path, Kind::Directory)
        }
    }

    fn add(&mut self, path: &str, kind: Kind) -> Result<(), String> {
        let mut folded = String::new();
        let mut end = 0;
        for part in path.split('/') {
            let fold = fold(part);
            if fold.contains(['/', '\\']) || matches!(fold.as_str(), "" | "." | "..") {
                return Err("a part of the path becomes a separator or dots in another Unicode form".to_owned());
            }
            if !folded.is_empty() {
                folded.push('/');
                end += 1;
            }
            folded.push_str(&fold);
            end += part.len();
            let here = if end == path.len() { kind } else { Kind::Directory };
            self.claim(&folded, path.get(..end).unwrap_or(path), here)?;
        }
        Ok(())
    }

    fn claim(&mut self, folded: &str, path: &str, kind: Kind) -> Result<(), String> {
        let Some((other, other_kind)) = self.seen.get(folded) else {
            self.seen.insert(folded.to_owned(), (path.to_owned(), kind));
            return Ok(());
        };
        if other != path {
            return Err(format!(
                "{path:?} and {other:?} are one name in another letter case or Unicode form"
            ));
        }
        match (other_kind, kind) {
            (Kind::Directory, Kind::Directory) => Ok(()),
            (Kind::File, Kind::File) => Err("the file is there twice".to_owned()),
            _ => Err(format!("{path:?} is a file and a directory at once")),
        }
    }
}

/// Compatibility form (NFKC, which covers NFC) and letter case. Upper case first, so that letters with several lower
/// case forms (`σ` and `ς`, `ß` and `ss`) meet.
fn fold(part: &str) -> String {
    let compatible: String = part.nfkc().collect();
    compatible.to_uppercase().to_lowercase().nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_what_tar_writes() {
        let limits = Limits::default();
        for (raw, path) in [
            ("./opa/a.rego", "opa/a.rego"),
            ("opa//./x/", "opa/x"),
            ("./", ""),
            ("a..b/...", "a..b/..."),
        ] {
            assert_eq!(normalise(raw.as_bytes(), &limits).unwrap(), path);
        }
    }

    #[test]
    fn one_name_in_another_form_is_a_duplicate() {
        for (first, second) in [
            ("opa/a.rego", "opa/A.rego"),
            ("opa/\u{e9}", "opa/e\u{301}"),
            ("opa/\u{fb01}", "opa/fi"),
            ("opa/stra\u{df}e", "opa/STRASSE"),
            ("opa/\u{3c3}", "opa/\u{3c2}"),
            ("opa/\u{212a}", "opa/k"),
            ("Opa/a", "opa/b"),
            ("opa/x", "opa/x"),
            ("opa/x", "opa/x/y"),
            ("opa/x/y", "opa/x"),
        ] {
            let mut names = Names::default();
            names.file(first).unwrap();
            assert!(names.file(second).is_err(), "{first} {second}");
        }
        for hidden in ["opa\u{ff0f}x", "a/\u{2025}/b", "a/\u{2024}"] {
            assert!(Names::default().file(hidden).is_err(), "{hidden}");
        }
    }

    #[test]
    fn directories_may_repeat_but_not_be_files() {
        let mut names = Names::default();
        names.directory("").unwrap();
        names.directory("opa").unwrap();
        names.directory("opa").unwrap();
        names.file("opa/a").unwrap();
        names.directory("opa/a").unwrap_err();
        names.file("opa").unwrap_err();
    }
}
