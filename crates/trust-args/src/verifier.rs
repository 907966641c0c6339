//! From the options to the verifier: files are read, and options that do not fit together are refused.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use pack_verify::{IdentityRule, IssuerRule, KeyLog, TrustConfigError, Verifier, trust::PUBLIC_TRUSTED_ROOT};
use runtime::exit::{Exit, Failure, ResultExt as _, chain_of};

use crate::{TrustArgs, TrustChoice};

const NO_TRUST: &str = "\
no trust mode is set (--trust or POLICY_TRUST), and there is no default, because it decides who may change your policy:
  --trust keyless --certificate-identity ID --certificate-oidc-issuer URL
      packs signed by a CI workflow or person, proved by a short-lived certificate and a public log (what MC's CI does)
  --trust key --key FILE
      packs signed with a private key whose public half is in FILE; add --insecure-ignore-tlog when the signatures
      are in no transparency log (air-gapped installations)
  --trust insecure-digest-only
      no signature at all: whoever can answer in MC's place can change the policy";

impl TrustArgs {
    /// The verifier that the options describe. Reads the files that they name.
    ///
    /// # Errors
    /// All are usage errors: no trust mode, a mode without what it needs or with options that mean nothing to it, and a
    /// key, pattern or trusted root that cannot be used.
    pub fn verifier(&self) -> Result<Verifier, Failure> {
        let Some(choice) = self.trust else {
            return Err(Failure::usage(NO_TRUST));
        };
        let keyless_options = [
            ("--certificate-identity", self.certificate_identity.is_some()),
            (
                "--certificate-identity-regexp",
                self.certificate_identity_regexp.is_some(),
            ),
            ("--certificate-oidc-issuer", self.certificate_oidc_issuer.is_some()),
            (
                "--certificate-oidc-issuer-regexp",
                self.certificate_oidc_issuer_regexp.is_some(),
            ),
        ];
        let key_options = [
            ("--key", self.key.is_some()),
            ("--insecure-ignore-tlog", self.insecure_ignore_tlog),
        ];
        let refuse = |mode: &str, options: &[(&str, bool)]| match options.iter().find(|(_, set)| *set) {
            Some((option, _)) => Err(Failure::usage(format!(
                "{option} means nothing with --trust {mode}; a setting that is not used would look like protection, so remove \
                 it or choose another trust mode"
            ))),
            None => Ok(()),
        };
        match choice {
            TrustChoice::Keyless => {
                refuse("keyless", &key_options)?;
                self.keyless()
            }
            TrustChoice::Key => {
                refuse("key", &keyless_options)?;
                let path = self.key.as_deref().ok_or_else(|| {
                    Failure::usage("--trust key needs the public key: --key FILE (POLICY_KEY), in PEM")
                })?;
                let pem = read(path, "--key")?;
                let log = if self.insecure_ignore_tlog {
                    KeyLog::NotRequired
                } else {
                    KeyLog::Required {
                        trusted_root_json: trusted_root(self.trusted_root.as_deref())?,
                    }
                };
                Verifier::key(&pem, log)
                    .with_context(|| format!("the public key {} (--key) cannot be used", path.display()))
                    .exit(Exit::Usage)
            }
            TrustChoice::InsecureDigestOnly => {
                refuse("insecure-digest-only", &keyless_options)?;
                refuse("insecure-digest-only", &key_options)?;
                Ok(Verifier::insecure_digest_only())
            }
        }
    }

    fn keyless(&self) -> Result<Verifier, Failure> {
        let identity = match (&self.certificate_identity, &self.certificate_identity_regexp) {
            (Some(exact), _) => IdentityRule::Exact(exact.clone()),
            (None, Some(pattern)) => {
                IdentityRule::pattern(pattern).map_err(|error| bad_pattern("--certificate-identity-regexp", &error))?
            }
            (None, None) => {
                return Err(Failure::usage(
                    "--trust keyless needs the signer's identity: --certificate-identity or --certificate-identity-regexp",
                ));
            }
        };
        let issuer = match (&self.certificate_oidc_issuer, &self.certificate_oidc_issuer_regexp) {
            (Some(exact), _) => IssuerRule::Exact(exact.clone()),
            (None, Some(pattern)) => {
                IssuerRule::pattern(pattern).map_err(|error| bad_pattern("--certificate-oidc-issuer-regexp", &error))?
            }
            (None, None) => {
                return Err(Failure::usage(
                    "--trust keyless needs the issuer that vouches for the identity: --certificate-oidc-issuer, for example \
                 https://token.actions.githubusercontent.com",
                ));
            }
        };
        let root = trusted_root(self.trusted_root.as_deref())?;
        Verifier::keyless(&root, identity, issuer)
            .context("the trusted root cannot be used (--trusted-root)")
            .exit(Exit::Usage)
    }
}

fn read(path: &Path, option: &str) -> Result<String, Failure> {
    fs::read_to_string(path)
        .with_context(|| format!("cannot read {} ({option})", path.display()))
        .exit(Exit::Usage)
}

/// The text of the trusted root that `--trusted-root` names, or the public instance's as it was when this was built.
///
/// # Errors
/// The file cannot be read; a usage error.
pub fn trusted_root(path: Option<&Path>) -> Result<String, Failure> {
    match path {
        Some(path) => read(path, "--trusted-root"),
        None => Ok(PUBLIC_TRUSTED_ROOT.to_owned()),
    }
}

/// The regex parser draws a picture of several lines; an error is one.
fn bad_pattern(option: &str, error: &TrustConfigError) -> Failure {
    let words: Vec<String> = chain_of(error).split_whitespace().map(str::to_owned).collect();
    Failure::usage(format!("{option}: {}", words.join(" ")))
}
