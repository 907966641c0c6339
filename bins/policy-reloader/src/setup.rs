//! Owns the step from options to working parts: files are read, addresses parsed, clients made. Everything wrong with
//! the configuration is found here, before any work.

use std::{fs, path::Path};

use anyhow::Context as _;
use jiff::SignedDuration;
use opa_client::OpaClient;
use pack_verify::{
    IdentityRule, IssuerRule, KeyLog, TrustConfigError, Verifier, layout::Layout, limits::Limits,
    trust::PUBLIC_TRUSTED_ROOT,
};
use runtime::{
    SecretSource,
    args::HttpArgs,
    exit::{Exit, Failure, ResultExt as _},
};
use url::Url;

use crate::{
    activate::Target,
    args::{OpaArgs, PackRulesArgs, TrustArgs, TrustChoice},
    examine::Rules,
    preflight::PreflightRules,
};

/// MC's clock may be this far ahead of ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

const NO_TRUST: &str = "\
no trust mode is set (--trust or POLICY_TRUST), and there is no default, because it decides who may change your policy:
  --trust keyless --certificate-identity ID --certificate-oidc-issuer URL
      packs signed by a CI workflow or person, proved by a short-lived certificate and a public log (what MC's CI does)
  --trust key --key FILE
      packs signed with a private key whose public half is in FILE; add --insecure-ignore-tlog when the signatures
      are in no transparency log (air-gapped installations)
  --trust insecure-digest-only
      no signature at all: whoever can answer in MC's place can change the policy";

/// What `User-Agent` and `build_info` say.
pub(crate) fn build() -> runtime::BuildInfo {
    runtime::build_info!()
}

fn read(path: &Path, option: &str) -> Result<String, Failure> {
    fs::read_to_string(path)
        .with_context(|| format!("cannot read {} ({option})", path.display()))
        .exit(Exit::Usage)
}

/// The trusted root named by the option, or the public instance's.
pub(crate) fn trusted_root(path: Option<&Path>) -> Result<String, Failure> {
    match path {
        Some(path) => read(path, "--trusted-root"),
        None => Ok(PUBLIC_TRUSTED_ROOT.to_owned()),
    }
}

/// Builds the verifier that the options describe.
pub(crate) fn verifier(args: &TrustArgs) -> Result<Verifier, Failure> {
    let Some(choice) = args.trust else {
        return Err(Failure::usage(NO_TRUST));
    };
    let keyless_options = [
        ("--certificate-identity", args.certificate_identity.is_some()),
        (
            "--certificate-identity-regexp",
            args.certificate_identity_regexp.is_some(),
        ),
        ("--certificate-oidc-issuer", args.certificate_oidc_issuer.is_some()),
        (
            "--certificate-oidc-issuer-regexp",
            args.certificate_oidc_issuer_regexp.is_some(),
        ),
    ];
    let key_options = [
        ("--key", args.key.is_some()),
        ("--insecure-ignore-tlog", args.insecure_ignore_tlog),
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
            keyless(args)
        }
        TrustChoice::Key => {
            refuse("key", &keyless_options)?;
            let path = args
                .key
                .as_deref()
                .ok_or_else(|| Failure::usage("--trust key needs the public key: --key FILE (POLICY_KEY), in PEM"))?;
            let pem = read(path, "--key")?;
            let log = if args.insecure_ignore_tlog {
                KeyLog::NotRequired
            } else {
                KeyLog::Required {
                    trusted_root_json: trusted_root(args.trusted_root.as_deref())?,
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

fn keyless(args: &TrustArgs) -> Result<Verifier, Failure> {
    let identity = match (&args.certificate_identity, &args.certificate_identity_regexp) {
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
    let issuer = match (&args.certificate_oidc_issuer, &args.certificate_oidc_issuer_regexp) {
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
    let root = trusted_root(args.trusted_root.as_deref())?;
    Verifier::keyless(&root, identity, issuer)
        .context("the trusted root cannot be used (--trusted-root)")
        .exit(Exit::Usage)
}

/// The regex parser draws a picture of several lines; an error is one.
fn bad_pattern(option: &str, error: &TrustConfigError) -> Failure {
    let words: Vec<String> = crate::chain(error).split_whitespace().map(str::to_owned).collect();
    Failure::usage(format!("{option}: {}", words.join(" ")))
}

/// The rules that the options describe.
pub(crate) fn rules(args: &PackRulesArgs) -> Result<Rules, Failure> {
    Ok(Rules {
        verifier: verifier(&args.trust)?,
        limits: Limits {
            max_pack_bytes: args.max_pack_bytes,
            max_unpacked_bytes: args.max_unpacked_bytes,
            max_entries: args.max_pack_entries,
            layout: layout(&args.data_root)?,
            ..Limits::default()
        },
        expected_id: args.pack_id.clone(),
        require_manifest: args.require_manifest,
        clock_skew: CLOCK_SKEW,
        preflight: PreflightRules {
            rego: args.rego_version,
            unreadable: args.unreadable_rego,
            max_golden_data_bytes: args.max_golden_data_bytes,
        },
    })
}

/// `cos`, or several names with dots between them.
pub(crate) fn layout(data_root: &str) -> Result<Layout, Failure> {
    let names: Vec<String> = data_root.split('.').map(str::to_owned).collect();
    let plain = |name: &String| {
        !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    if names.iter().all(plain) && names.first().is_some_and(|name| name != "system") {
        Ok(Layout { data_root: names })
    } else {
        Err(Failure::usage(format!(
            "--data-root must be names of letters, digits and _ with dots between them, and not `system`; found `{data_root}`"
        )))
    }
}

/// A secret from a value or a file.
pub(crate) fn secret(
    name: &'static str,
    value: Option<&runtime::Secret>,
    file: Option<&Path>,
) -> Result<Option<SecretSource>, Failure> {
    SecretSource::from_args(name, value.cloned(), file.map(Path::to_owned)).exit(Exit::Usage)
}

/// The address of a service. User name and password in it would be one more way to pass a secret, and one that ends up
/// in process lists and proxies' logs.
fn service_url(url: &str, option: &'static str, token: &str) -> Result<Url, Failure> {
    let url = runtime::http::parse_base_url(url).context(option).exit(Exit::Usage)?;
    if url.username().is_empty() && url.password().is_none() {
        return Ok(url);
    }
    Err(Failure::usage(format!(
        "{option}: expected a URL without user name and password, found some before {}; take them away and pass a token \
         with {token} or {token}_FILE",
        url.host_str().unwrap_or_default()
    )))
}

/// The client of MC's packs; `option` is where the address comes from.
pub(crate) fn pack_client(
    url: &str,
    option: &'static str,
    token: Option<SecretSource>,
    http: &HttpArgs,
) -> Result<mc_client::PackClient, Failure> {
    let url = service_url(url, option, "MC_TOKEN")?;
    let client = runtime::http::client(&http.options(build().user_agent())).exit(Exit::Usage)?;
    Ok(mc_client::PackClient::new(client, url, token))
}

/// The OPAs.
pub(crate) fn targets(args: &OpaArgs, http: &HttpArgs) -> Result<Vec<Target>, Failure> {
    let mut options = http.options(build().user_agent());
    options.ca_file.clone_from(&args.opa_ca_file);
    options.client_cert.clone_from(&args.opa_client_cert);
    options.client_key.clone_from(&args.opa_client_key);
    let client = runtime::http::client(&options).exit(Exit::Usage)?;
    let token = secret("OPA_TOKEN", args.opa_token.as_ref(), args.opa_token_file.as_deref())?;
    args.opa_url
        .iter()
        .map(|url| url.trim())
        .map(|url| {
            let url = service_url(url, "--opa-url (OPA_URL)", "OPA_TOKEN")?;
            Ok(Target {
                name: runtime::http::redact(&url),
                client: OpaClient::new(client.clone(), url, token.clone()),
            })
        })
        .collect()
}
