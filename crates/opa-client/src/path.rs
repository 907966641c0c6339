//! Owns names as OPA's API takes them: paths of data documents and ids of policies, and how they are
//! written into a URL or a JSON pointer so that no character in them can mean something else.

use std::fmt;

/// The path of a data document below `data`: `cos/retention` is `data.cos.retention`.
///
/// It has at least one segment; a segment may hold any character, also `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataPath(Vec<String>);

/// Why a path cannot be sent to OPA.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The whole of `data` is never read or written: a write there would also remove what others put into OPA.
    #[error("a data path needs at least one segment, such as `cos/retention`")]
    Empty,
    /// An HTTP server joins or resolves these segments, so that another document would be meant.
    #[error("data path `{path}` has the segment `{segment}`, which cannot be part of a URL path")]
    Segment {
        /// The whole path as given.
        path: String,
        /// The segment that is refused: empty, `.` or `..`.
        segment: String,
    },
}

impl DataPath {
    /// A path of the given segments.
    ///
    /// # Errors
    /// No segment at all, or one that is empty, `.` or `..`.
    pub fn new<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Result<Self, PathError> {
        let segments: Vec<String> = segments.into_iter().map(Into::into).collect();
        if segments.is_empty() {
            return Err(PathError::Empty);
        }
        if let Some(bad) = segments
            .iter()
            .find(|segment| matches!(segment.as_str(), "" | "." | ".."))
        {
            return Err(PathError::Segment {
                path: segments.join("/"),
                segment: bad.clone(),
            });
        }
        Ok(Self(segments))
    }

    /// Reads `cos/abac/allow`; a `/` always separates here.
    ///
    /// # Errors
    /// As for [`DataPath::new`].
    pub fn parse(path: &str) -> Result<Self, PathError> {
        if path.is_empty() {
            return Err(PathError::Empty);
        }
        Self::new(path.split('/'))
    }

    /// The segments, in order.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// The pointer of this document as `PATCH /v1/data` wants it: `/cos/retention`. It is a JSON pointer (RFC 6901)
    /// in which OPA decodes percent signs as well: seen on 1.22.2, which refuses `/a%d` and takes `/a%25d` for `a%d`.
    pub fn pointer(&self) -> String {
        self.0.iter().fold(String::new(), |pointer, segment| {
            pointer + "/" + &segment.replace('~', "~0").replace('/', "~1").replace('%', "%25")
        })
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("/"))
    }
}

/// Whether a policy id survives the way through a URL: the rest is percent-encoded as one segment.
pub(crate) fn is_usable_policy_id(id: &str) -> bool {
    !matches!(id, "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_escape_what_has_a_meaning_in_them() {
        let path = DataPath::new(["cos", "z/q~", "a b", "c%2Fd"]).unwrap();
        assert_eq!(path.pointer(), "/cos/z~1q~0/a b/c%252Fd");
    }

    #[test]
    fn paths_that_a_server_would_rewrite_are_refused() {
        assert_eq!(DataPath::parse(""), Err(PathError::Empty));
        assert_eq!(DataPath::new(Vec::<String>::new()), Err(PathError::Empty));
        for bad in ["/cos", "cos/", "cos//x", "cos/../system", "./cos"] {
            assert!(matches!(DataPath::parse(bad), Err(PathError::Segment { .. })), "{bad}");
        }
        assert_eq!(DataPath::parse("cos/a.b").unwrap().segments(), ["cos", "a.b"]);
    }
}
