//! Owns free ports for processes that have to be told theirs.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use tokio::net::TcpSocket;

/// A port of the loopback address that stays ours, also while a process that used it is dead.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    /// Bound, but not listening: on Linux nobody who asks for any free port gets this one, and a server that names it
    /// can still have it. Elsewhere such a socket would keep the server out.
    _reserved: Option<TcpSocket>,
}

impl Port {
    /// Any free one.
    pub(crate) fn free() -> Result<Self> {
        let bind = || -> std::io::Result<(SocketAddr, TcpSocket)> {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            Ok((socket.local_addr()?, socket))
        };
        let (address, socket) = bind().context("looking for a free port on 127.0.0.1")?;
        Ok(Self {
            address,
            _reserved: cfg!(target_os = "linux").then_some(socket),
        })
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
