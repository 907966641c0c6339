//! Owns `opa-config`: the OPA configuration that fits bundle mode, as YAML on stdout.

use anyhow::Context as _;
use opa_client::{ConfigOptions, TokenFrom, config_yaml};
use runtime::exit::{Exit, Failure, ResultExt as _};

use crate::args::OpaConfigArgs;

/// Prints the configuration.
pub(crate) fn opa_config(args: &OpaConfigArgs) -> Result<Exit, Failure> {
    let url = runtime::http::parse_base_url(&args.bundle_url)
        .context("--bundle-url (BUNDLE_URL)")
        .exit(Exit::Usage)?;
    let mut options = ConfigOptions::new(url, args.bundle_name.clone());
    options.token = args.bundle_token_env.clone().map(TokenFrom::Env);
    runtime::output::human(config_yaml(&options).trim_end())
        .context("writing the configuration")
        .exit(Exit::Dependency)?;
    Ok(Exit::Done)
}
