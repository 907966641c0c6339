//! Who may sign a policy pack: the options, and the [`Verifier`](pack_verify::Verifier) that they describe.
//!
//! Every tool that takes packs has these options, with the same names, variables and refusals. There is no default: a tool
//! trusts nobody until it is told whom.
//!
//! ```no_run
//! #[derive(clap::Parser)]
//! struct Cli {
//!     /// The pack
//!     #[arg(value_name = "FILE")]
//!     pack: std::path::PathBuf,
//!     #[command(flatten)]
//!     trust: trust_args::TrustArgs,
//! }
//!
//! fn main() -> Result<(), std::process::ExitCode> {
//!     let cli: Cli = runtime::exit::parse()?;
//!     // Reads the key and the trusted root; whatever is wrong with them is found here.
//!     let verifier = cli.trust.verifier().map_err(|failure| runtime::exit::report(Err(failure)))?;
//!     // Then `verifier.admit(...)` for the bytes of the pack: see `pack_verify::admit`.
//!     # let _ = (cli.pack, verifier);
//!     Ok(())
//! }
//! ```
//!
//! A tool lists the variables in its part of `env.example`.

#![allow(
    rustdoc::bare_urls,
    rustdoc::invalid_html_tags,
    reason = "the comments on options are the text of --help, where markup would be noise"
)]

mod verifier;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub use verifier::trusted_root;

/// Who may sign. The names are cosign's.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Trust")]
pub struct TrustArgs {
    /// What vouches for a pack: keyless (a certificate for an identity), key (a public key), insecure-digest-only
    /// (nothing but the digest that the server sends). There is no default
    #[arg(long, env = "POLICY_TRUST", value_enum)]
    pub trust: Option<TrustChoice>,
    /// The signer's identity, exactly: an e-mail address or a workflow's URI (keyless)
    #[arg(
        long,
        env = "CERTIFICATE_IDENTITY",
        value_name = "IDENTITY",
        conflicts_with = "certificate_identity_regexp"
    )]
    pub certificate_identity: Option<String>,
    /// The signer's identity as a regular expression that has to match the whole of it (keyless)
    #[arg(long, env = "CERTIFICATE_IDENTITY_REGEXP", value_name = "REGEXP")]
    pub certificate_identity_regexp: Option<String>,
    /// Who vouches for the identity, exactly: the URL of the OIDC issuer (keyless)
    #[arg(
        long,
        env = "CERTIFICATE_OIDC_ISSUER",
        value_name = "URL",
        conflicts_with = "certificate_oidc_issuer_regexp"
    )]
    pub certificate_oidc_issuer: Option<String>,
    /// The OIDC issuer as a regular expression that has to match the whole of it (keyless)
    #[arg(long, env = "CERTIFICATE_OIDC_ISSUER_REGEXP", value_name = "REGEXP")]
    pub certificate_oidc_issuer_regexp: Option<String>,
    /// PEM file with the public key: ECDSA P-256 or Ed25519 (key)
    #[arg(long, env = "POLICY_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Accept signatures by key that are in no transparency log
    #[arg(long, env = "INSECURE_IGNORE_TLOG")]
    pub insecure_ignore_tlog: bool,
    /// The pinned Sigstore trusted_root.json (keyless, and key with a log); default: the public instance's, as it was
    /// when this program was built
    #[arg(long, env = "TRUSTED_ROOT", value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
}

/// What vouches for a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrustChoice {
    /// A short-lived certificate for an identity, and a transparency log.
    Keyless,
    /// A public key.
    Key,
    /// Only the digest that the server sends along.
    InsecureDigestOnly,
}

#[cfg(test)]
mod tests;
