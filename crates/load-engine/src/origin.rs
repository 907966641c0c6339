//! A server's addresses, resolved once before the run: a lookup in the middle would be measured as the server's time.

use crate::connect::ConnectError;
use std::net::{SocketAddr, ToSocketAddrs};
use url::Url;

/// Where connections go.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// `host:port` as the Host header has it.
    pub(crate) authority: String,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// The name that is looked up.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Tried in this order; empty until [`Origin::resolve`].
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Origin {
    /// `None` when the URL has no host or another scheme, which the plan does not let through.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "http" => "http",
            "https" => "https",
            _ => return None,
        };
        let host = match url.host()? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        };
        let port = url.port_or_known_default()?;
        let shown = url.host_str()?;
        let authority = match url.port() {
            Some(port) => format!("{shown}:{port}"),
            None => shown.to_owned(),
        };
        Some(Self {
            authority,
            scheme,
            host,
            port,
            addresses: Vec::new(),
        })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == "https"
    }

    /// Looks the name up. Blocks.
    pub(crate) fn resolve(&mut self) -> Result<(), ConnectError> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let unknown = |source| ConnectError::Dns {
            host: self.host.clone(),
            source,
        };
        self.addresses = match found {
            Ok(addresses) => addresses.collect(),
            Err(source) => return Err(unknown(source)),
        };
        if self.addresses.is_empty() {
            return Err(unknown(std::io::Error::other("the name has no address")));
        }
        Ok(())
    }
}
