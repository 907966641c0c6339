//! Owns what an address means: hosts, login, TLS mode, limits. Reads text only; files and sockets are others' work.

use super::pairs::{self, Pair};
use runtime::Secret;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::{ChannelBinding, SslNegotiation};

const DEFAULT_PORT: u16 = 5432;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TIMEOUT: u64 = 3600;

/// How far a server is trusted. The words are libpq's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS where the server has it; nobody is verified.
    Prefer,
    /// TLS; nobody is verified.
    Require,
    /// The certificate must come from a trusted authority, for whatever name.
    VerifyCa,
    /// And it must be for the host's name.
    VerifyFull,
}

impl SslMode {
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }

    /// As it is written in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// Which servers will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
}

impl Role {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The directory of a Unix socket.
    Socket(PathBuf),
    /// A name, which certificates are checked for, and perhaps the address to use instead of asking DNS.
    Tcp { name: String, ip: Option<IpAddr> },
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) place: Place,
    pub(super) port: u16,
    pub(super) mode: SslMode,
}

impl Host {
    /// `db.example:5432`, `/run/postgresql:5432`.
    pub(super) fn shown(&self) -> String {
        match &self.place {
            Place::Socket(directory) => format!("{}:{}", directory.display(), self.port),
            Place::Tcp { name, .. } if name.contains(':') => format!("[{name}]:{}", self.port),
            Place::Tcp { name, .. } => format!("{name}:{}", self.port),
        }
    }

    /// Whether the password leaves the machine.
    pub(super) fn is_local(&self) -> bool {
        is_local(&self.place)
    }
}

fn is_local(place: &Place) -> bool {
    match place {
        Place::Socket(_) => true,
        Place::Tcp { name, ip } => {
            let named = name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
            named && ip.is_none_or(|ip| ip.is_loopback())
        }
    }
}

/// Whom to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// What the machine trusts.
    Machine,
    /// The certificates of a file and no others.
    File(PathBuf),
}

/// An address, read. `Debug` shows no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) database: String,
    pub(super) options: Option<String>,
    pub(super) roots: Roots,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) negotiation: SslNegotiation,
    pub(super) channel_binding: ChannelBinding,
    pub(super) role: Role,
    pub(super) timeout: Duration,
}

/// What an address may hold.
const KNOWN: [&str; 17] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "options",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslnegotiation",
    "channel_binding",
    "connect_timeout",
    "target_session_attrs",
    "application_name",
    "gssencmode",
];

/// What is read and not used, because every session of ours sets it itself.
const SET_BY_US: [&str; 8] = [
    "application_name",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "keepalives_retries",
    "tcp_user_timeout",
];

/// What libpq knows and we do not. These names may be shown wherever they stand; no password is cut into one of them.
const LIBPQ_ONLY: [&str; 17] = [
    "passfile",
    "require_auth",
    "client_encoding",
    "replication",
    "sslcompression",
    "sslpassword",
    "sslcertmode",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "requirepeer",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "krbsrvname",
    "gsslib",
    "service",
    "load_balance_hosts",
];

/// Reads an address. `env` gives `PGPASSWORD` and `PGSSLROOTCERT`, which stand in where the address says nothing.
///
/// # Errors
/// What is wrong, without any value that might be a secret.
pub(super) fn read(text: &str, env: &impl Fn(&str) -> Option<String>) -> Result<Address, String> {
    let pairs = pairs::read(text)?;
    check_names(&pairs)?;
    let get = |name: &str| {
        let found = pairs.iter().find(|pair| pair.name == name);
        found.map(|pair| pair.value.as_str()).filter(|value| !value.is_empty())
    };
    let env = |name: &str| env(name).filter(|value| !value.is_empty());

    let database = get("dbname").map(str::to_owned);
    if database
        .as_ref()
        .is_some_and(|name| name.contains("://") || name.contains('='))
    {
        return Err("the database's name is itself an address".to_owned());
    }
    let user = get("user").map(str::to_owned);
    let user = user.ok_or("no user is named: expected postgres://user@host/database, or user=...".to_owned())?;
    let roots = match get("sslrootcert").map(str::to_owned).or_else(|| env("PGSSLROOTCERT")) {
        None => Roots::Machine,
        Some(word) if word == "system" => Roots::Machine,
        Some(path) => Roots::File(path.into()),
    };
    let mode = match get("sslmode") {
        None => None,
        Some(word) => Some(
            SslMode::read(word)
                .ok_or("sslmode is none of disable, prefer, require, verify-ca, verify-full".to_owned())?,
        ),
    };
    if get("sslrootcert") == Some("system") && mode.is_some_and(|mode| mode != SslMode::VerifyFull) {
        return Err(
            "sslrootcert=system needs sslmode=verify-full: anybody can have a certificate of a public authority"
                .to_owned(),
        );
    }
    if get("gssencmode").is_some_and(|word| word != "disable" && word != "prefer") {
        return Err("gssencmode is neither disable nor prefer: GSSAPI is not supported".to_owned());
    }
    Ok(Address {
        hosts: hosts(get("host"), get("hostaddr"), get("port"), mode, &roots)?,
        database: database.unwrap_or_else(|| user.clone()),
        user,
        password: get("password")
            .map(str::to_owned)
            .or_else(|| env("PGPASSWORD"))
            .map(Secret::new),
        options: get("options").map(str::to_owned),
        roots,
        cert: get("sslcert").map(PathBuf::from),
        key: get("sslkey").map(PathBuf::from),
        negotiation: match get("sslnegotiation") {
            None | Some("postgres") => SslNegotiation::Postgres,
            Some("direct") => SslNegotiation::Direct,
            Some(_) => return Err("sslnegotiation is neither postgres nor direct".to_owned()),
        },
        channel_binding: match get("channel_binding") {
            None | Some("prefer") => ChannelBinding::Prefer,
            Some("disable") => ChannelBinding::Disable,
            Some("require") => ChannelBinding::Require,
            Some(_) => return Err("channel_binding is none of disable, prefer, require".to_owned()),
        },
        role: match get("target_session_attrs") {
            None | Some("any") => Role::Any,
            Some("read-write") => Role::ReadWrite,
            Some("read-only") => Role::ReadOnly,
            Some("primary") => Role::Primary,
            Some("standby") => Role::Standby,
            Some(_) => {
                return Err("target_session_attrs is none of any, read-write, read-only, primary, standby".to_owned());
            }
        },
        timeout: match get("connect_timeout") {
            None => DEFAULT_TIMEOUT,
            Some(seconds) => match seconds.parse() {
                Ok(seconds @ 1..=LONGEST_TIMEOUT) => Duration::from_secs(seconds),
                _ => {
                    return Err(format!(
                        "connect_timeout is no number of seconds from 1 to {LONGEST_TIMEOUT}"
                    ));
                }
            },
        },
    })
}

/// Unknown names are shown, but not behind a password: there they may be a piece of it.
fn check_names(pairs: &[Pair]) -> Result<(), String> {
    let mut seen: Vec<&str> = Vec::new();
    for Pair { name, .. } in pairs {
        let name = name.as_str();
        if KNOWN.contains(&name) {
            if seen.contains(&name) {
                return Err(format!("{name} is given twice"));
            }
        } else if SET_BY_US.contains(&name) {
            tracing::debug!(
                parameter = name,
                "a parameter of DATABASE_URL is not used: every session sets its own"
            );
        } else if LIBPQ_ONLY.contains(&name) {
            return Err(format!("the parameter {name} is not supported here; remove it"));
        } else if seen.contains(&"password") && !pairs_are_apart(pairs) {
            return Err(
                "an unknown parameter stands after the password; is the password quoted (password='...') or \
                 percent-encoded as it must be?"
                    .to_owned(),
            );
        } else {
            let near = KNOWN.iter().find(|known| strsim::damerau_levenshtein(known, name) <= 2);
            let hint = near.map(|known| format!("; is {known} meant?")).unwrap_or_default();
            return Err(format!("unknown parameter {name:?}{hint}"));
        }
        seen.push(name);
    }
    Ok(())
}

/// Whether the password stands before an @ in a URL, so that nothing behind the ? can belong to it: there, and only
/// there, the host follows the password.
fn pairs_are_apart(pairs: &[Pair]) -> bool {
    let password = pairs.iter().position(|pair| pair.name == "password");
    let login = pairs.first().is_some_and(|pair| pair.name == "user") && password == Some(1);
    login && pairs.get(2).is_some_and(|pair| pair.name == "host")
}

fn hosts(
    names: Option<&str>,
    ips: Option<&str>,
    ports: Option<&str>,
    mode: Option<SslMode>,
    roots: &Roots,
) -> Result<Vec<Host>, String> {
    let list = |text: Option<&str>| -> Vec<String> {
        text.map(|text| text.split(',').map(|piece| piece.trim().to_owned()).collect())
            .unwrap_or_default()
    };
    let (names, ips, ports) = (list(names), list(ips), list(ports));
    let count = names.len().max(ips.len());
    if count == 0 {
        return Err("no host is named: expected postgres://user@host/database, or host=...".to_owned());
    }
    if !names.is_empty() && !ips.is_empty() && names.len() != ips.len() {
        return Err("host and hostaddr do not have the same length".to_owned());
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(format!("there are {count} hosts and {} ports", ports.len()));
    }
    (0..count)
        .map(|at| {
            let ip: Option<IpAddr> = match ips.get(at).map(String::as_str) {
                None | Some("") => None,
                Some(text) => Some(text.parse().map_err(|_| "hostaddr is no IP address".to_owned())?),
            };
            let name = names.get(at).map(String::as_str).unwrap_or_default();
            let place = match (name, ip) {
                ("", None) => return Err("a host's name is empty".to_owned()),
                ("", Some(ip)) => Place::Tcp {
                    name: ip.to_string(),
                    ip: Some(ip),
                },
                (name, None) if name.starts_with('/') => Place::Socket(PathBuf::from(name)),
                (name, _) if name.starts_with(['/', '@']) || name.contains(char::is_whitespace) => {
                    return Err("a host is neither a name, an IP address nor a directory".to_owned());
                }
                (name, ip) => Place::Tcp {
                    name: name.to_owned(),
                    ip,
                },
            };
            let port = match ports.get(at).or_else(|| ports.first()).map(String::as_str) {
                None | Some("") => DEFAULT_PORT,
                Some(text) => match text.parse() {
                    Ok(port @ 1..) => port,
                    _ => return Err("a port is no number from 1 to 65535".to_owned()),
                },
            };
            let mode = mode_of(&place, mode, roots);
            Ok(Host { place, port, mode })
        })
        .collect()
}

/// A tool that protects personal data does not hand its password to a stranger: other machines are verified unless the
/// address says otherwise. Who names a root wants it used: `require` verifies then, as in libpq, and so does a local host.
fn mode_of(place: &Place, asked: Option<SslMode>, roots: &Roots) -> SslMode {
    match (place, asked) {
        (Place::Socket(_), _) => SslMode::Disable,
        (_, Some(SslMode::Require)) if matches!(roots, Roots::File(_)) => SslMode::VerifyCa,
        (_, Some(mode)) => mode,
        (place, None) if is_local(place) && *roots == Roots::Machine => SslMode::Prefer,
        (_, None) => SslMode::VerifyFull,
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
