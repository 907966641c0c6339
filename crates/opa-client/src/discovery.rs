//! Owns the question "does this OPA poll us?": a pure function over the answer of `GET /v1/config`.
//!
//! Shapes that OPA 1.22.2 accepts and shows as written (defaults are not filled in, credentials are left out):
//! - `services` as an object by name, or as a list whose entries have a `name`;
//! - `bundles` by name with `service` and `resource`, both optional: the resource defaults to `bundles/<name>`,
//!   the service to the first one, which is only certain for a list or a single service;
//! - the old `bundle` with `name`, `prefix` and `service`;
//! - `status` with `service` (same default, but none if it only writes to the console) and `partition_name`.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use url::{Host, Url};

/// The bundle server that OPA may be polling.
#[derive(Clone, Copy, Debug)]
pub struct BundleServer<'a> {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Addresses under which OPAs reach it, if the operator named them (a service's DNS name, a proxy in front).
    pub advertised: &'a [Url],
    /// The path it serves the bundle at, such as `/bundles/policy`.
    pub path: &'a str,
}

/// A bundle in OPA's configuration that comes from us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleSource {
    /// Name of the service; empty for a single service without a name.
    pub service: String,
    /// Name of the bundle: the key in status posts and provenance.
    pub bundle: String,
    /// The path OPA asks for.
    pub path: String,
    /// Whether that is the path we serve; otherwise OPA polls us in vain and the configuration wants a correction.
    pub path_is_ours: bool,
    /// Whether OPA posts its status to us: without it activation can only be read from polls and provenance.
    pub status_to_us: bool,
    /// The configured long polling timeout in seconds; without it a new pack waits for OPA's next poll.
    pub long_polling_seconds: Option<u64>,
    /// The configured longest delay between polls in seconds. OPA's own default is 120.
    pub max_delay_seconds: Option<u64>,
}

struct Service<'a> {
    name: &'a str,
    url: Url,
}

struct Bundle<'a> {
    name: &'a str,
    service: Option<&'a str>,
    resource: String,
    polling: &'a Value,
}

/// The bundle of this configuration that is polled from `server`; one whose path is ours goes first.
///
/// A loopback address matches every other one (`localhost`, `127.0.0.1`, `[::1]`) and the address we listen on by
/// port. Any other host name may or may not lead to us, so it matches only when it is advertised, or when both port and
/// path are ours.
pub fn polls_us(config: &Value, server: &BundleServer<'_>) -> Option<BundleSource> {
    let services = services(config);
    let mut found: Vec<BundleSource> = bundles(config)
        .into_iter()
        .filter_map(|bundle| {
            let service = pick(&services, bundle.service)?;
            let path = joined_path(&service.url, &bundle.resource);
            let path_is_ours = path == server.path;
            if !is_us(&service.url, path_is_ours, server) {
                return None;
            }
            Some(BundleSource {
                service: service.name.to_owned(),
                bundle: bundle.name.to_owned(),
                path,
                path_is_ours,
                status_to_us: status_service(config, &services)
                    .is_some_and(|status| std::ptr::eq(status, service) || is_us(&status.url, path_is_ours, server)),
                long_polling_seconds: bundle.polling["long_polling_timeout_seconds"].as_u64(),
                max_delay_seconds: bundle.polling["max_delay_seconds"].as_u64(),
            })
        })
        .collect();
    found.sort_by_key(|source| !source.path_is_ours);
    found.into_iter().next()
}

fn services(config: &Value) -> Vec<Service<'_>> {
    let parse = |name, service: &Value| {
        Some(Service {
            name,
            url: Url::parse(service["url"].as_str()?).ok()?,
        })
    };
    match &config["services"] {
        Value::Object(by_name) => by_name
            .iter()
            .filter_map(|(name, service)| parse(name.as_str(), service))
            .collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(|service| parse(service["name"].as_str().unwrap_or_default(), service))
            .collect(),
        _ => Vec::new(),
    }
}

fn bundles(config: &Value) -> Vec<Bundle<'_>> {
    let by_name = config["bundles"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, bundle)| Bundle {
            name,
            service: bundle["service"].as_str(),
            resource: bundle["resource"]
                .as_str()
                .map_or_else(|| format!("bundles/{name}"), str::to_owned),
            polling: &bundle["polling"],
        });
    let old = &config["bundle"];
    let old = old["name"].as_str().map(|name| Bundle {
        name,
        service: old["service"].as_str(),
        resource: format!("{}/{name}", old["prefix"].as_str().unwrap_or("bundles")),
        polling: &old["polling"],
    });
    by_name.chain(old).collect()
}

/// The named service, or the only one. OPA takes any of several unnamed ones, so that is nothing to rely on.
fn pick<'s, 'c>(services: &'s [Service<'c>], name: Option<&str>) -> Option<&'s Service<'c>> {
    match (name.filter(|name| !name.is_empty()), services) {
        (Some(name), _) => services.iter().find(|service| service.name == name),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

fn status_service<'s, 'c>(config: &Value, services: &'s [Service<'c>]) -> Option<&'s Service<'c>> {
    let status = config["status"].as_object()?;
    let is_set = |key| status.get(key).and_then(Value::as_bool).unwrap_or(false);
    let name = status.get("service").and_then(Value::as_str);
    if name.is_none() && (is_set("console") || is_set("prometheus")) {
        return None;
    }
    pick(services, name)
}

/// OPA joins the service's path and the resource with one slash.
fn joined_path(service: &Url, resource: &str) -> String {
    if resource.contains("://") {
        return Url::parse(resource).map_or_else(|_| resource.to_owned(), |url| url.path().to_owned());
    }
    format!(
        "{}/{}",
        service.path().trim_end_matches('/'),
        resource.trim_start_matches('/')
    )
}

fn is_us(url: &Url, path_is_ours: bool, server: &BundleServer<'_>) -> bool {
    let port = url.port_or_known_default();
    let is_advertised = server
        .advertised
        .iter()
        .any(|ours| ours.host() == url.host() && ours.port_or_known_default() == port);
    if is_advertised {
        return true;
    }
    if port != Some(server.listen.port()) {
        return false;
    }
    let listens_on_loopback = server.listen.ip().is_loopback() || server.listen.ip().is_unspecified();
    match url.host().as_ref().and_then(address) {
        Some(ip) if ip == server.listen.ip() => true,
        Some(ip) if ip.is_loopback() => listens_on_loopback,
        _ => path_is_ours,
    }
}

/// The address, if the host is one or is a name of loopback.
fn address(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(ip) => Some((*ip).into()),
        Host::Ipv6(ip) => Some((*ip).into()),
        Host::Domain(name) => {
            (*name == "localhost" || name.ends_with(".localhost")).then_some(IpAddr::from([127, 0, 0, 1]))
        }
    }
}

#[cfg(test)]
#[path = "discovery_tests.rs"]
mod tests;
