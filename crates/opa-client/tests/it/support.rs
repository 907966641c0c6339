//! What the tests share: a client of a server, and paths.

use std::time::Duration;

use opa_client::{DataPath, OpaClient, RawJson};
use runtime::http::HttpOptions;
use runtime::secret::{Secret, SecretSource};

pub(crate) const TOKEN: &str = "tok-3f9c";

pub(crate) fn client_at(base: &str, token: Option<&str>) -> OpaClient {
    let options = HttpOptions {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        no_proxy: true,
        ..HttpOptions::default()
    };
    let http = runtime::http::client(&options).unwrap();
    OpaClient::new(
        http,
        base.parse().unwrap(),
        token.map(|token| SecretSource::Value(Secret::new(token))),
    )
}

pub(crate) fn path(path: &str) -> DataPath {
    DataPath::parse(path).unwrap()
}

pub(crate) fn raw(text: &'static str) -> RawJson {
    RawJson::check(text.as_bytes().into()).unwrap()
}
