//! Takes connections up, and hands each to the protocol that its client speaks.

use std::io;
use std::rc::Rc;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::behaviour::nanoseconds;
use crate::config::{OverLimit, Protocol};
use crate::shared::{Connection, Shared};
use crate::wire::{Again, Wire};
use crate::{h1, h2};

const BUFFER: usize = 8 * 1024;

/// Accepts for ever.
pub(crate) async fn run(shared: Rc<Shared>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let between_ns = nanoseconds(shared.config.accept_ms);
    let mut earliest_ns = 0;
    loop {
        while shared.config.over_limit == OverLimit::Wait && shared.is_full() {
            shared.one_less.notified().await;
        }
        // A failed accept is the client's affair, or one of too many open files, which time heals.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        if shared.is_full() {
            stream.end_by_reset();
            shared.log.borrow_mut().counts.turned_away += 1;
            continue;
        }
        if between_ns != 0 {
            earliest_ns = shared.alarm.now().max(earliest_ns) + between_ns;
        }
        let connection = shared.begin_connection();
        tokio::task::spawn_local(serve(stream, tls.clone(), connection, earliest_ns));
    }
}

/// Errors end here: whatever went wrong on the wire was either planned or is the client's to tell.
async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, connection: Connection, from_ns: u64) {
    if from_ns != 0 {
        connection.shared.alarm.until(from_ns).await;
    }
    let _ = stream.set_nodelay(true);
    let _ = match tls {
        None => speak(stream, connection, None).await,
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                speak(stream, connection, Some(http2)).await
            }
            Err(error) => Err(error),
        },
    };
}

/// `agreed`: whether HTTP/2 was agreed upon by ALPN; without that, the client's first words tell.
async fn speak<S: Wire + 'static>(mut stream: S, connection: Connection, agreed: Option<bool>) -> io::Result<()> {
    let mut buf = BytesMut::with_capacity(BUFFER);
    let http2 = match (connection.shared.config.protocol, agreed) {
        (Protocol::Http1, _) => false,
        (Protocol::Http2, _) => true,
        (Protocol::Both, Some(agreed)) => agreed,
        (Protocol::Both, None) => {
            while buf.len() < 3 {
                if stream.read_buf(&mut buf).await? == 0 {
                    return Ok(());
                }
            }
            buf.starts_with(b"PRI")
        }
    };
    if http2 {
        h2::serve(Again::new(buf.freeze(), stream), connection).await
    } else {
        h1::serve(stream, buf, &connection).await
    }
}
