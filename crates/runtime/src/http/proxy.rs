//! Proxies from the environment: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, or the same in small letters.
//! Loopback is always reached directly: OPA sits beside us, and no proxy could reach it.

use super::HttpConfigError;
use reqwest::{NoProxy, Proxy};
use url::Url;

/// In `NO_PROXY`'s own syntax. 0.0.0.0 and :: mean "this machine" when connected to.
const LOOPBACK: &str = "localhost,localhost.,127.0.0.0/8,::1,::ffff:127.0.0.0/104,0.0.0.0,::";

type Names = [&'static str; 2];
type Make = fn(Url) -> reqwest::Result<Proxy>;

/// The proxies in the order in which they are asked.
pub(super) fn from_env(env: &impl Fn(&str) -> Option<String>) -> Result<Vec<Proxy>, HttpConfigError> {
    let no_proxy = match first(env, ["NO_PROXY", "no_proxy"]) {
        Some((_, list)) => format!("{LOOPBACK},{list}"),
        None => LOOPBACK.to_owned(),
    };
    let no_proxy = NoProxy::from_string(&no_proxy);
    let mut proxies = Vec::new();
    let kinds: [(Names, Make); 3] = [
        (["HTTP_PROXY", "http_proxy"], |url| Proxy::http(url)),
        (["HTTPS_PROXY", "https_proxy"], |url| Proxy::https(url)),
        (["ALL_PROXY", "all_proxy"], |url| Proxy::all(url)),
    ];
    for (names, make) in kinds {
        if let Some((variable, value)) = first(env, names) {
            let bad = |found| HttpConfigError::BadProxy { variable, found };
            let url = parse(&value).map_err(bad)?;
            let proxy = make(url).map_err(|error| bad(error.without_url().to_string()))?;
            proxies.push(proxy.no_proxy(no_proxy.clone()));
        }
    }
    Ok(proxies)
}

/// The first variable that is set and not blank.
fn first(env: &impl Fn(&str) -> Option<String>, names: Names) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| {
        env(name)
            .filter(|value| !value.trim().is_empty())
            .map(|value| (name, value))
    })
}

/// `host:port` without a scheme is common and means http. The error does not show the value.
fn parse(value: &str) -> Result<Url, String> {
    let value = value.trim();
    let text = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    let url = Url::parse(&text).map_err(|error| format!("a malformed URL ({error})"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("the scheme {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn blank_variables_are_not_set() {
        assert!(
            from_env(&env(&[("HTTP_PROXY", ""), ("https_proxy", " ")]))
                .expect("none")
                .is_empty()
        );
        assert_eq!(
            from_env(&env(&[("HTTP_PROXY", ""), ("http_proxy", "p:3128")]))
                .expect("one")
                .len(),
            1
        );
    }

    #[test]
    fn an_unusable_proxy_is_an_error_and_shows_no_password() {
        for value in ["socks5://user:hunter2@p:1080", "http://user:hunter2@:99999"] {
            let error = from_env(&|name: &str| (name == "HTTPS_PROXY").then(|| value.to_owned())).expect_err(value);
            let text = error.to_string();
            assert!(text.starts_with("the proxy in HTTPS_PROXY cannot be used"), "{text}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
