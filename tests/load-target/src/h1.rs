//! HTTP/1.1, spoken by hand: two system calls a request, and free to break every rule.

use std::io;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::answers::{CONTINUE, GARBAGE, INTERIM};
use crate::config::Kind;
use crate::log::Seen;
use crate::shared::{Connection, Taken};
use crate::wire::Wire;

/// As much as a request's head may be.
const HEAD_LIMIT: usize = 64 * 1024;
const HEADERS: usize = 64;

/// What a request's head says that matters here.
struct Head {
    length: usize,
    body: usize,
    is_head: bool,
    close: bool,
    expects_continue: bool,
}

/// Whether another request may follow on the connection.
#[derive(PartialEq, Eq)]
enum Next {
    Request,
    End,
}

/// Answers requests until the connection ends. `buf` holds what was read already.
pub(crate) async fn serve<S: Wire>(mut stream: S, mut buf: BytesMut, connection: &Connection) -> io::Result<()> {
    let shared = &connection.shared;
    let limit = shared.config.requests_per_connection;
    let mut served = 0;
    let mut arrived_ns = if buf.is_empty() { None } else { Some(shared.alarm.now()) };
    loop {
        let head = match parse(&buf)? {
            Some(head) if buf.len() >= head.length + head.body => head,
            partial => {
                if partial.is_some_and(|head| head.expects_continue) {
                    stream.write_all(CONTINUE).await?;
                }
                if stream.read_buf(&mut buf).await? == 0 {
                    return Ok(());
                }
                arrived_ns.get_or_insert_with(|| shared.alarm.now());
                continue;
            }
        };
        let taken = shared.take(connection.number, arrived_ns.unwrap_or_default());
        if shared.wants_words() {
            keep(connection, &buf, &head);
        }
        buf.advance(head.length + head.body);
        served += 1;
        let last = head.close || (limit != 0 && served >= limit);
        if answer(&mut stream, connection, &taken, &head, last).await? == Next::End {
            return Ok(());
        }
        // Requests may have come together; the next one waited here since the answer before it.
        arrived_ns = if buf.is_empty() { None } else { Some(shared.alarm.now()) };
    }
}

async fn answer<S: Wire>(
    stream: &mut S,
    connection: &Connection,
    taken: &Taken,
    head: &Head,
    last: bool,
) -> io::Result<Next> {
    let shared = &connection.shared;
    if shared.config.interim {
        stream.write_all(INTERIM).await?;
    }
    if taken.kind == Kind::Never {
        // Until the client has had enough.
        let mut ignored = [0; 1024];
        while stream.read(&mut ignored).await? != 0 {}
        return Ok(Next::End);
    }
    shared.alarm.until(taken.answer_ns).await;
    let answer = shared.answers.of(taken.kind);
    let announced = last && !shared.config.close_unannounced;
    let bytes = if announced { &answer.last } else { &answer.kept };
    let half = answer.head + answer.body.len() / 2;
    match taken.kind {
        Kind::Reset => {
            stream.end_by_reset();
            shared.ended(taken, 0);
            return Ok(Next::End);
        }
        Kind::Hangup => {
            shared.ended(taken, 0);
            return Ok(Next::End);
        }
        Kind::Garbage => {
            stream.write_all(GARBAGE).await?;
            shared.ended(taken, 0);
            return Ok(Next::End);
        }
        Kind::Truncated => {
            stream.write_all(&answer.kept[..half]).await?;
            shared.ended(taken, answer.status);
            return Ok(Next::End);
        }
        Kind::SlowBody => {
            // The announcement of the end makes the head longer; half is half of anything.
            stream.write_all(&bytes[..half]).await?;
            stream.flush().await?;
            shared.alarm.until(taken.answer_ns + shared.slow_body_ns()).await;
            stream.write_all(&bytes[half..]).await?;
        }
        _ if head.is_head => stream.write_all(&bytes[..bytes.len() - answer.body.len()]).await?,
        _ => stream.write_all(bytes).await?,
    }
    stream.flush().await?;
    shared.ended(taken, answer.status);
    if last {
        stream.shutdown().await?;
        return Ok(Next::End);
    }
    Ok(Next::Request)
}

/// The head, when the whole of it is there.
fn parse(buf: &[u8]) -> io::Result<Option<Head>> {
    if buf.is_empty() {
        return Ok(None);
    }
    let bad = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(buf).map_err(|error| bad(error.to_string()))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial if buf.len() > HEAD_LIMIT => return Err(bad("the head is too long".to_owned())),
        httparse::Status::Partial => return Ok(None),
    };
    let mut head = Head {
        length,
        body: 0,
        is_head: request.method == Some("HEAD"),
        close: request.version == Some(0),
        expects_continue: false,
    };
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // Most names are told apart by their length.
        match header.name.len() {
            14 if is("content-length") => {
                head.body = str::from_utf8(header.value)
                    .ok()
                    .and_then(|text| text.trim().parse().ok())
                    .ok_or_else(|| bad("a content-length that is no number".to_owned()))?;
            }
            17 if is("transfer-encoding") => return Err(bad("bodies need a content-length here".to_owned())),
            10 if is("connection") => head.close |= header.value.eq_ignore_ascii_case(b"close"),
            6 if is("expect") => head.expects_continue = true,
            _ => {}
        }
    }
    Ok(Some(head))
}

/// Writes the request down word for word.
fn keep(connection: &Connection, buf: &[u8], head: &Head) {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(buf).is_err() {
        return;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    connection.shared.keep(Seen {
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or_default().to_owned(),
        headers: request
            .headers
            .iter()
            .map(|header| (header.name.to_ascii_lowercase(), text(header.value)))
            .collect(),
        body: text(&buf[head.length..head.length + head.body]),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_when_they_are_whole() {
        assert!(parse(b"").unwrap().is_none());
        assert!(parse(b"POST / HTTP/1.1\r\nContent-Le").unwrap().is_none());
        let text = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nConnection: Close\r\n\r\n{\"a\"";
        let head = parse(text).unwrap().unwrap();
        assert_eq!((head.length, head.body, head.close), (text.len() - 4, 12, true));
        assert!(
            parse(b"HEAD / HTTP/1.0\r\n\r\n")
                .unwrap()
                .is_some_and(|head| head.is_head && head.close)
        );
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        assert!(parse(b"\x16\x03\x01\x02\x00 hello").is_err());
        assert!(parse(b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n").is_err());
        assert!(parse(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
