//! Owns the step from options to working parts: files are read, addresses parsed, clients made. Everything wrong with
//! the configuration is found here, before any work.

use std::path::Path;

use anyhow::Context as _;
use jiff::SignedDuration;
use opa_client::OpaClient;
use pack_verify::{layout::Layout, limits::Limits};
use runtime::{
    SecretSource,
    args::HttpArgs,
    exit::{Exit, Failure, ResultExt as _},
};
use url::Url;

use crate::{
    activate::Target,
    args::{OpaArgs, PackRulesArgs},
    examine::Rules,
    preflight::PreflightRules,
};

/// MC's clock may be this far ahead of ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What `User-Agent` and `build_info` say.
pub(crate) fn build() -> runtime::BuildInfo {
    runtime::build_info!()
}

/// The rules that the options describe.
pub(crate) fn rules(args: &PackRulesArgs) -> Result<Rules, Failure> {
    Ok(Rules {
        verifier: args.trust.verifier()?,
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
