//! Owns how a run's metrics get to a Pushgateway. A failure is a warning: the rows are gone all the same.

use crate::args::report::ReportArgs;
use crate::setup;
use anyhow::Context as _;
use pushgateway::{Group, PushTarget, Replace};
use runtime::HttpOptions;
use runtime::exit::{Exit, Failure, ResultExt as _};

/// Where metrics go, checked before the run: a typing error must not show up after an hour.
pub(crate) fn target(args: &ReportArgs, kind: &'static str) -> Result<Option<PushTarget>, Failure> {
    let Some(url) = args.push_url.as_ref().filter(|url| !url.trim().is_empty()) else {
        return Ok(None);
    };
    let url = runtime::http::parse_base_url(url)
        .context("--push-url (PUSHGATEWAY_URL)")
        .exit(Exit::Usage)?;
    let token = setup::secret(
        "PUSHGATEWAY_TOKEN",
        args.push_token.as_ref(),
        args.push_token_file.as_ref(),
    )?;
    let client = runtime::http::client(&HttpOptions::new(runtime::build_info!().user_agent())).exit(Exit::Usage)?;
    let given = |label: &Option<String>| label.clone().filter(|text| !text.trim().is_empty());
    Ok(Some(PushTarget {
        client,
        url,
        token,
        // One subject's erasure must not write over what the night said.
        group: Group::new(args.push_job.as_str())
            .with("kind", Some(kind.to_owned()))
            .with("service", given(&args.push_service))
            .with("environment", given(&args.push_environment)),
    }))
}

/// Sends them. A run that did not succeed leaves what it does not send as it is: the time of the last success.
pub(crate) async fn send(target: Option<PushTarget>, text: String, succeeded: bool) {
    let Some(target) = target else { return };
    let replace = if succeeded { Replace::Group } else { Replace::Metrics };
    if let Err(error) = pushgateway::push(&target, replace, text).await {
        tracing::warn!("{}", runtime::exit::chain_of(&error));
    }
}
