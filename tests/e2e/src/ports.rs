//! Owns the ports: unlike a port that the system chose and that was given back, one of these is given to nobody else.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the range from which the system takes ports for outgoing connections.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// A port that nobody listens on, given once in this process; another process of the same kind starts elsewhere.
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(process::id().wrapping_mul(97) % u32::from(COUNT)).unwrap();
    (0..COUNT)
        .map(|_| FIRST + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("no free port")
}
