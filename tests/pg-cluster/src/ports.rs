//! Owns the choice of ports.

use std::net::TcpListener;

/// Below those that the system gives to outgoing connections (from 32768 on Linux): a server that is stopped for a
/// moment must find its port free when it starts again.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// A port on 127.0.0.1 that nobody listens on now.
pub(crate) fn free() -> std::io::Result<u16> {
    for _ in 0..100 {
        let port = fastrand::u16(RANGE);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
