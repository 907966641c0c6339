//! The one HTTP client of the house: rustls with the machine's roots (and `--ca-file` beside them), an optional client
//! certificate, proxies from the environment but never for loopback, timeouts always set, redirects off.
//!
//! reqwest's errors carry the whole URL: call `without_url()` on them and name the address with [`redact`] instead.

mod identity;
mod proxy;
mod roots;
mod url;

pub use self::url::{UrlError, parse_base_url, redact};

use reqwest::redirect::{Attempt, Policy};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Shorter than the keep-alive of common servers (5 s in Node.js, the shortest around), so that a request is rarely sent
/// on a connection which the server is about to close.
const POOL_IDLE: Duration = Duration::from_secs(4);
const MAX_REDIRECTS: usize = 5;

/// What the client is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// PEM certificates of authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM certificate chain to show to servers that ask for one; needs `client_key`.
    pub client_cert: Option<PathBuf>,
    /// PEM private key of `client_cert`: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub client_key: Option<PathBuf>,
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest time for a whole request with its body. A caller may allow one request more; no single wait for bytes
    /// is longer than this even then.
    pub request_timeout: Duration,
    /// `name/version`.
    pub user_agent: String,
    /// Follow up to five redirects, never from https to http. Off by default: a pinned server does not redirect.
    pub follow_redirects: bool,
    /// Ignore the proxies of the environment.
    pub no_proxy: bool,
}

impl HttpOptions {
    /// The defaults: 5 s to connect, 30 s for a request.
    pub fn new(user_agent: impl Into<String>) -> Self {
        Self {
            ca_file: None,
            client_cert: None,
            client_key: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            user_agent: user_agent.into(),
            follow_redirects: false,
            no_proxy: false,
        }
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self::new(crate::build_info!().user_agent())
    }
}

/// Why there is no client. All are configuration: exit code 2.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpConfigError {
    /// `--ca-file` names a file that does not exist.
    #[error("the CA file {} does not exist; expected a PEM file with certificates", path.display())]
    MissingCaFile {
        /// The file.
        path: PathBuf,
    },
    /// A file exists, or should, but cannot be read.
    #[error("cannot read the {what} {}", path.display())]
    Unreadable {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The CA file has no certificate in it.
    #[error("the CA file {} holds no certificate: expected PEM (-----BEGIN CERTIFICATE-----), found {found}", path.display())]
    CaFileWithoutCertificate {
        /// The file.
        path: PathBuf,
        /// What it looks like instead.
        found: &'static str,
    },
    /// The CA file has a damaged certificate in it.
    #[error("certificate number {number} of the CA file {} cannot be read", path.display())]
    BadCaFile {
        /// The file.
        path: PathBuf,
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` is set and gives nothing.
    #[error("{variable} is set, but no certificate could be loaded from there ({found}); correct it or unset it")]
    BadSystemRoots {
        /// The variable.
        variable: &'static str,
        /// What happened.
        found: String,
    },
    /// Only one of client certificate and key is set.
    #[error("a client certificate needs its key: {missing} is not set")]
    HalfIdentity {
        /// The option that is missing.
        missing: &'static str,
    },
    /// Client certificate or key has the wrong content.
    #[error("the {what} {} cannot be used: expected {expected}, found {found}", path.display())]
    BadIdentity {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What is in it.
        found: &'static str,
    },
    /// Certificate and key are fine, but not together.
    #[error("the client certificate {} cannot be used with the key {}", cert.display(), key.display())]
    IdentityMismatch {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
    /// A proxy variable cannot be used. The value is not shown: it may hold a password.
    #[error("the proxy in {variable} cannot be used: expected http://host:port or https://host:port, found {found}")]
    BadProxy {
        /// The variable.
        variable: &'static str,
        /// What is wrong, without the value.
        found: String,
    },
    /// The TLS library refuses its own defaults.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// The HTTP library refuses: a user agent that is no header value, most likely.
    #[error("cannot set up the HTTP client")]
    Build(#[source] reqwest::Error),
}

/// Builds the client. It is cheap to clone and keeps its own connections; roots, certificates and proxies are read now
/// and not again.
///
/// # Errors
/// A file or variable cannot be used; see [`HttpConfigError`].
pub fn client(options: &HttpOptions) -> Result<reqwest::Client, HttpConfigError> {
    client_with(options, |name| std::env::var(name).ok())
}

/// As [`client`], with the environment given.
fn client_with(
    options: &HttpOptions,
    env: impl Fn(&str) -> Option<String>,
) -> Result<reqwest::Client, HttpConfigError> {
    #[expect(clippy::disallowed_methods, reason = "this is the place that the ban points to")]
    let mut builder = reqwest::Client::builder();
    builder = builder
        .tls_backend_preconfigured(tls(options, &env)?)
        .user_agent(options.user_agent.as_str())
        .connect_timeout(options.connect_timeout)
        .timeout(options.request_timeout)
        // Matters where a caller gives one request more time in total: a silent server is still noticed.
        .read_timeout(options.request_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_keepalive(Duration::from_secs(15))
        .referer(false)
        .redirect(if options.follow_redirects {
            Policy::custom(redirect)
        } else {
            Policy::none()
        })
        // Forget what reqwest found in the environment: it has no rule for loopback and ignores what it cannot read.
        .no_proxy();
    if !options.no_proxy {
        for proxy in proxy::from_env(&env)? {
            builder = builder.proxy(proxy);
        }
    }
    builder.build().map_err(HttpConfigError::Build)
}

/// The TLS part of [`client`], for connections that are made without it.
///
/// # Errors
/// As [`client`].
pub fn tls_config(options: &HttpOptions) -> Result<rustls::ClientConfig, HttpConfigError> {
    tls(options, &|name| std::env::var(name).ok())
}

/// Whom a connection that is made without this client may trust: the certificates of `only`, or what [`client`] trusts
/// when no CA file is named.
///
/// # Errors
/// The file, or the store that `SSL_CERT_FILE` or `SSL_CERT_DIR` names, cannot be used.
pub fn trusted_roots(only: Option<&Path>) -> Result<RootCertStore, HttpConfigError> {
    let Some(path) = only else {
        return roots::load(None, &|name| std::env::var(name).ok());
    };
    let mut store = RootCertStore::empty();
    // Each was tried when the file was read.
    store.add_parsable_certificates(roots::read_ca_file(path)?);
    Ok(store)
}

/// The certificates of a PEM file, each one usable as a root.
///
/// # Errors
/// There is no such file, no certificate in it, or one that cannot be used.
pub fn ca_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpConfigError> {
    roots::read_ca_file(path)
}

/// The client certificate and its key for a connection that is made without this client: both files or none.
///
/// # Errors
/// One of the two is missing, or holds something else.
pub fn client_identity(
    cert: Option<&Path>,
    key: Option<&Path>,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, HttpConfigError> {
    Ok(identity::load(cert, key)?.map(|identity| (identity.chain, identity.key)))
}

fn tls(options: &HttpOptions, env: &impl Fn(&str) -> Option<String>) -> Result<rustls::ClientConfig, HttpConfigError> {
    let roots = roots::load(options.ca_file.as_deref(), env)?;
    let identity = identity::load(options.client_cert.as_deref(), options.client_key.as_deref())?;
    // Named, not taken from the process: two libraries may have installed different ones.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(HttpConfigError::Tls)?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(identity::Identity {
            chain,
            key,
            cert_path,
            key_path,
        }) => config
            .with_client_auth_cert(chain, key)
            .map_err(|source| HttpConfigError::IdentityMismatch {
                cert: cert_path,
                key: key_path,
                source,
            })?,
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let from_https = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if from_https && attempt.url().scheme() != "https" {
        return attempt.error("a redirect from https to http is not followed");
    }
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("too many redirects");
    }
    attempt.follow()
}

/// Reads a PEM file that an option names.
fn read_file(what: &'static str, path: &Path) -> Result<Vec<u8>, HttpConfigError> {
    std::fs::read(path).map_err(|source| HttpConfigError::Unreadable {
        what,
        path: path.to_owned(),
        source,
    })
}

/// For messages: what a file looks like that should have been PEM of another kind.
fn looks_like(bytes: &[u8]) -> &'static str {
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    if bytes.trim_ascii().is_empty() {
        "an empty file"
    } else if has("ENCRYPTED") && has("PRIVATE KEY-----") {
        "an encrypted private key"
    } else if has("PRIVATE KEY-----") {
        "a private key"
    } else if has("-----BEGIN CERTIFICATE-----") {
        "a certificate"
    } else if has("-----BEGIN PUBLIC KEY-----") {
        "a public key"
    } else if bytes.starts_with(&[0x30, 0x82]) {
        "DER (convert it with openssl x509 -inform der)"
    } else {
        "something else"
    }
}

#[cfg(test)]
mod tests;
