//! Owns making a check out of options.

use std::time::Duration;

use anyhow::Context as _;
use mc_client::EvidenceClient;
use runtime::SecretSource;
use runtime::args::HttpArgs;
use runtime::exit::{Exit, Failure, ResultExt as _};

use super::age::AgeRule;
use super::ask::Options;
use crate::args::evidence::McArgs;

impl Options {
    /// From the command line. What cannot be used is told before MC is asked.
    ///
    /// # Errors
    /// All with exit code 2: no URL, a URL that is none, a token that cannot be one.
    pub(crate) fn from_args(mc: &McArgs, http: &HttpArgs) -> Result<Self, Failure> {
        let url = mc.mc_url.as_deref().ok_or_else(|| {
            Failure::usage("no URL of MC is set (--mc-url or MC_URL), for example https://mc.example.com")
        })?;
        let url = runtime::http::parse_base_url(url)
            .context("cannot use --mc-url (MC_URL)")
            .exit(Exit::Usage)?;
        let token = token(mc)?;
        if token.is_some() && !(url.username().is_empty() && url.password().is_none()) {
            return Err(Failure::usage(
                "--mc-url (MC_URL) has a user name in it and a token is set as well; MC takes the token: leave the user name out",
            ));
        }
        let client = runtime::http::client(&http.options(runtime::build_info!().user_agent()))
            .context("cannot set up HTTP to MC")
            .exit(Exit::Usage)?;
        Ok(Self {
            client: EvidenceClient::new(client, &url, token.clone()),
            token,
            deadline: mc.deadline,
            poll_interval: mc.poll_interval,
            ask_timeout: Duration::from_millis(http.request_timeout_ms),
            age: AgeRule {
                max_age: mc.max_age,
                required: mc.require_age,
            },
            clock: jiff::Timestamp::now,
        })
    }

    /// Reads the token once: a file that is missing or holds no token is a mistake of the configuration, not of MC.
    pub(crate) async fn try_token(&self) -> Result<(), Failure> {
        if let Some(token) = &self.token {
            token
                .get()
                .await
                .context("cannot use the token for MC")
                .exit(Exit::Usage)?;
        }
        Ok(())
    }
}

fn token(mc: &McArgs) -> Result<Option<SecretSource>, Failure> {
    SecretSource::from_args("MC_TOKEN", mc.mc_token.clone(), mc.mc_token_file.clone())
        .context("cannot use the token for MC")
        .exit(Exit::Usage)
}
