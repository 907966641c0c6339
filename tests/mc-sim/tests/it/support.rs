//! A plain client, a signer and a simulator with one signed pack.

use std::sync::LazyLock;
use std::time::Duration;

use mc_sim::{PACK_ID, Published, Sim, SimConfig, build_signed, samples};
use pack_verify::sign::{KeyKind, Signer};
use reqwest::{Client, Method, Response};
use runtime::HttpOptions;

pub(crate) static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::generate(KeyKind::EcdsaP256).unwrap());

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn client() -> Client {
    let options = HttpOptions {
        no_proxy: true,
        request_timeout: PATIENCE,
        ..HttpOptions::default()
    };
    runtime::http::client(&options).unwrap()
}

pub(crate) fn sample(revision: u64) -> Published {
    build_signed(samples::v1(revision), &SIGNER).unwrap()
}

/// A simulator that serves the sample at revision 1.
pub(crate) fn sim() -> Sim {
    with(SimConfig::default())
}

pub(crate) fn with(config: SimConfig) -> Sim {
    let sim = Sim::start(config).unwrap();
    sim.publish(PACK_ID, sample(1));
    sim
}

pub(crate) async fn get(sim: &Sim, path: &str) -> Response {
    ask(sim, Method::GET, path, &[]).await
}

pub(crate) async fn pack(sim: &Sim) -> Response {
    get(sim, "/v1/policy/packs/policy-pack-v0").await
}

pub(crate) async fn attestation(sim: &Sim) -> Response {
    get(sim, "/v1/policy/packs/policy-pack-v0/attestation").await
}

pub(crate) async fn ask(sim: &Sim, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = client().request(method, format!("{}{path}", sim.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}
