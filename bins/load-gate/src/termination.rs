//! Owns `/dev/termination-log`: what Kubernetes shows of a container that has ended (`kubectl describe`, and the message of
//! a Job's pod). It is there in a pod and nowhere else; it is never created.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Where Kubernetes looks unless a pod says otherwise.
pub(crate) const PATH: &str = "/dev/termination-log";
/// Kubernetes cuts what is longer.
const LONGEST: usize = 4096;

/// Writes the text, cut to what Kubernetes keeps. A failure is logged: it must not change the verdict.
pub(crate) fn write(path: &Path, text: &str) {
    if !path.is_file() {
        return;
    }
    let cut = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
    let written = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(cut.as_bytes()));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "cannot write the termination message");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_where_it_exists_and_cut_between_characters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        write(&path, "nothing");
        assert!(!path.exists(), "it is never created");
        std::fs::write(&path, "before").unwrap();
        write(&path, &format!("x{}", "ä".repeat(3_000)));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.len(), 4095);
        write(&path, "short");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "short");
    }
}
