//! Addresses for tests: one where nobody listens, and one that is free.

use std::net::{Ipv4Addr, TcpListener};

use tokio::net::TcpSocket;

/// An address at which nobody listens, as long as it is held: bound, so that nobody else gets it, but not listening.
#[derive(Debug)]
pub struct Nobody {
    #[expect(dead_code, reason = "holds the port")]
    socket: TcpSocket,
    port: u16,
}

impl Nobody {
    /// Takes a port.
    #[expect(clippy::new_without_default, reason = "there is nothing usual about a port")]
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let port = socket.local_addr().unwrap().port();
        Self { socket, port }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:{port}`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::net::TcpStream;

    #[test]
    fn nobody_listens_and_nobody_else_gets_the_port() {
        let nobody = Nobody::new();
        let address = (Ipv4Addr::LOCALHOST, nobody.port());
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        assert_eq!(TcpListener::bind(address).unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}
