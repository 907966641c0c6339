//! Owns how the bytes of a body are sent: whole, cut, reset, without end, or slowly.

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::net::Connection;

/// An endless body ends here all the same, so that a client without limits cannot fill a disk.
pub(crate) const ENDLESS_BYTES: u64 = 1 << 30;
const ENDLESS_TIME: Duration = Duration::from_mins(1);
const BLOCK: usize = 64 * 1024;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Truncate { at: u64 },
    Reset { at: u64 },
    Endless,
    Drip { bytes_per_sec: u64 },
}

impl Delivery {
    /// The last fault that says something about the body decides.
    pub(crate) fn from_faults(faults: &[Fault]) -> Self {
        faults
            .iter()
            .rev()
            .find_map(|fault| match *fault {
                Fault::Truncate { at } => Some(Self::Truncate { at }),
                Fault::Reset { at: Some(at) } => Some(Self::Reset { at }),
                Fault::Endless => Some(Self::Endless),
                Fault::SlowDrip { bytes_per_sec } => Some(Self::Drip { bytes_per_sec }),
                _ => None,
            })
            .unwrap_or(Self::Whole)
    }

    /// Whether `Content-Length` is announced.
    pub(crate) fn announces_length(self) -> bool {
        self != Self::Endless
    }

    pub(crate) fn body(self, content: Bytes, connection: Connection) -> Body {
        match self {
            Self::Whole => Body::from(content),
            Self::Truncate { at } => cut(&content, at, None),
            Self::Reset { at } => cut(&content, at, Some(connection)),
            Self::Endless => endless(content),
            Self::Drip { bytes_per_sec } => drip(content, bytes_per_sec),
        }
    }
}

/// Sends the start and then fails, which makes the server close the connection: by RST if a connection is given.
fn cut(content: &Bytes, at: u64, reset: Option<Connection>) -> Body {
    let start = content.slice(..usize::try_from(at).unwrap_or(usize::MAX).min(content.len()));
    Body::from_stream(stream::unfold(Some(start), move |start| {
        let reset = reset.clone();
        async move {
            match start {
                Some(start) if !start.is_empty() => Some((Ok(start), Some(Bytes::new()))),
                Some(_) => {
                    // Gives the server the chance to write out what it has before the connection goes.
                    tokio::task::yield_now().await;
                    if let Some(connection) = reset {
                        connection.reset_on_close();
                    }
                    Some((
                        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut on demand")),
                        None,
                    ))
                }
                None => None,
            }
        }
    }))
}

fn endless(content: Bytes) -> Body {
    let end = Instant::now() + ENDLESS_TIME;
    let first = (content, 0_u64);
    Body::from_stream(stream::unfold(first, move |(pending, sent)| async move {
        if sent >= ENDLESS_BYTES || Instant::now() >= end {
            return None;
        }
        let block = if pending.is_empty() {
            Bytes::from_static(&ZEROS)
        } else {
            pending
        };
        let sent = sent + block.len() as u64;
        Some((Ok::<_, io::Error>(block), (Bytes::new(), sent)))
    }))
}

fn drip(content: Bytes, bytes_per_sec: u64) -> Body {
    let (size, pause) = drops(bytes_per_sec);
    Body::from_stream(stream::unfold(content, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let Some(pause) = pause else {
            return std::future::pending().await;
        };
        tokio::time::sleep(pause).await;
        let drop = rest.split_to(size.min(rest.len()));
        Some((Ok::<_, io::Error>(drop), rest))
    }))
}

/// Size of a drop and the pause before it: ten drops a second, or single bytes when it is slower than that.
fn drops(bytes_per_sec: u64) -> (usize, Option<Duration>) {
    match bytes_per_sec {
        0 => (1, None),
        1..10 => (1, Some(Duration::from_millis(1000 / bytes_per_sec))),
        _ => (
            usize::try_from(bytes_per_sec / 10).unwrap_or(usize::MAX),
            Some(Duration::from_millis(100)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_keep_the_rate() {
        assert_eq!(drops(0), (1, None));
        assert_eq!(drops(4), (1, Some(Duration::from_millis(250))));
        assert_eq!(drops(1000), (100, Some(Duration::from_millis(100))));
    }

    #[test]
    fn the_last_body_fault_decides() {
        let faults = [
            Fault::Endless,
            Fault::WrongDigest,
            Fault::Truncate { at: 3 },
            Fault::NoDigestHeader,
        ];
        assert_eq!(Delivery::from_faults(&faults), Delivery::Truncate { at: 3 });
        assert_eq!(Delivery::from_faults(&[Fault::WrongDigest]), Delivery::Whole);
    }
}
