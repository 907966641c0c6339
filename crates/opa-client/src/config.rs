//! Owns the text of an OPA configuration for bundle mode. Values are written as JSON strings, which YAML reads as well.

use std::path::PathBuf;

use url::Url;

use crate::raw_json::json_string;

/// Where OPA takes the token from that it shows to the bundle server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFrom {
    /// An environment variable of the OPA process, read once at its start.
    Env(String),
    /// A file that OPA reads again for each request, so that the token can be rotated.
    File(PathBuf),
}

/// What differs between installations.
#[derive(Clone, Debug)]
pub struct ConfigOptions {
    /// Address of the bundle server as OPA reaches it, such as `http://127.0.0.1:8282`.
    pub server: Url,
    /// Name of the bundle; OPA asks for `bundles/<name>`.
    pub bundle: String,
    /// The token, if the bundle server wants one.
    pub token: Option<TokenFrom>,
    /// How long the bundle server may hold a poll, in seconds. OPA posts its status after each poll, so this is
    /// also the heartbeat that repairs a lost post: it must stay well below the 30 s that a change may take.
    pub long_polling_seconds: u32,
    /// Longest wait in seconds after a failed poll: how late OPA may notice that the bundle server is back.
    pub max_delay_seconds: u32,
}

impl ConfigOptions {
    /// Long polls of 10 s, at most 2 s of waiting after a failure, no token.
    pub fn new(server: Url, bundle: impl Into<String>) -> Self {
        Self {
            server,
            bundle: bundle.into(),
            token: None,
            long_polling_seconds: 10,
            max_delay_seconds: 2,
        }
    }
}

/// A complete, commented configuration for `opa run --server --config-file`.
pub fn config_yaml(options: &ConfigOptions) -> String {
    let server = json_string(options.server.as_str().trim_end_matches('/'));
    let bundle = json_string(&options.bundle);
    let resource = json_string(&format!("bundles/{}", options.bundle));
    let (long_polling, max_delay) = (options.long_polling_seconds.max(1), options.max_delay_seconds.max(1));
    let credentials = credentials(options.token.as_ref());
    format!(
        "\
# OPA configuration for bundle mode: the policy reloader is OPA's bundle server.
# Start OPA with it:   opa run --server --config-file opa.yaml
# Tell the reloader nothing more: it finds itself in this configuration (GET /v1/config).

services:
  reloader:
    # Where OPA reaches the reloader's bundle port (--bundle-listen). Loopback when both share a pod.
    url: {server}
{credentials}
bundles:
  # Its name appears in OPA's status and in the provenance of each decision.
  {bundle}:
    service: reloader
    resource: {resource}
    # Off: after a restart OPA asks the reloader, which only hands out packs that it has verified.
    # A copy on OPA's disk would decide again without that check.
    persist: false
    polling:
      # With long polling a new pack arrives at once: the reloader holds each poll until there is one, at most this long.
      # OPA reports its status after each poll, so this is also the heartbeat.
      long_polling_timeout_seconds: {long_polling}
      # Waits after failed polls only. Both must be set together; OPA's defaults (60 and 120) are too slow for a
      # change within 30 seconds.
      min_delay_seconds: 1
      max_delay_seconds: {max_delay}

# OPA tells the reloader which revision is active, or why a bundle was refused.
status:
  service: reloader

# Not set on purpose: default_decision, decision_logs, labels and whatever else your OPA needs go below.
"
    )
}

fn credentials(token: Option<&TokenFrom>) -> String {
    let (comment, setting) = match token {
        None => {
            return "    # No token: keep the bundle port on loopback, or start the reloader with a token for it.\n"
                .to_owned();
        }
        // A token is base64 or hex, so it needs no escaping where OPA puts it in.
        Some(TokenFrom::Env(name)) => (
            "OPA replaces the variable at its start.",
            format!("token: \"${{{name}}}\""),
        ),
        Some(TokenFrom::File(path)) => (
            "OPA reads the file again for each request, so the token may be rotated.",
            format!("token_path: {}", json_string(&path.to_string_lossy())),
        ),
    };
    format!("    # {comment}\n    credentials:\n      bearer:\n        {setting}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ConfigOptions {
        ConfigOptions::new("http://127.0.0.1:8282".parse().unwrap(), "policy")
    }

    #[test]
    fn the_whole_text() {
        insta::assert_snapshot!(config_yaml(&options()));
    }

    #[test]
    fn a_token_comes_from_a_variable_or_a_file() {
        let mut options = options();
        assert!(!config_yaml(&options).contains("bearer"));
        options.token = Some(TokenFrom::Env("RELOADER_TOKEN".to_owned()));
        assert!(config_yaml(&options).contains("      bearer:\n        token: \"${RELOADER_TOKEN}\"\n"));
        options.token = Some(TokenFrom::File("/run/secrets/a \"b\"".into()));
        assert!(config_yaml(&options).contains("        token_path: \"/run/secrets/a \\\"b\\\"\"\n"));
    }
}
