//! What a plan becomes before a run: servers, requests that are ready to be sent, pools, the number of threads.

use crate::connect::Dialer;
use crate::origin::Origin;
use crate::pool::Pool;
use crate::prepared::{Impossible, Prepared};
use crate::run::SetupError;
use crate::tls;
use load_plan::Plan;
use load_plan::plan::Protocol;

/// Requests a second that one thread is asked to send, at most: half of what it can.
const RATE_OF_A_THREAD: f64 = 25_000.0;

/// A connection is a file. Many systems allow 1,024 by default and far more to whoever asks.
pub(crate) fn make_room(connections: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        /// Files that are open besides connections.
        const OTHERS: u64 = 100;
        let limit = getrlimit(Resource::Nofile);
        let wanted = connections as u64 + OTHERS;
        if limit.current.is_some_and(|current| current < wanted) {
            let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
            // If it is refused, connections fail with "too many open files", and the result says so.
            let _ = setrlimit(
                Resource::Nofile,
                Rlimit {
                    current: Some(current),
                    maximum: limit.maximum,
                },
            );
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = connections;
}

pub(crate) fn threads(plan: &Plan) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    plan.threads.unwrap_or_else(|| {
        let wanted = (plan.schedule.peak_rate() / RATE_OF_A_THREAD).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the number of cores"
        )]
        let wanted = wanted.clamp(1.0, cores as f64) as usize;
        wanted
    })
}

/// The servers of the plan, each once and resolved, and which one each request goes to.
pub(crate) fn origins(plan: &Plan) -> Result<(Vec<Origin>, Vec<usize>), SetupError> {
    let mut origins: Vec<Origin> = Vec::new();
    let mut of_request = Vec::with_capacity(plan.requests.len());
    for request in &plan.requests {
        let origin = Origin::of(&request.origin).ok_or(SetupError::Plan("a URL has no host"))?;
        let known = origins
            .iter()
            .position(|other| other.authority == origin.authority && other.scheme == origin.scheme);
        of_request.push(known.unwrap_or(origins.len()));
        if known.is_none() {
            origins.push(origin);
        }
    }
    let mut problem = None;
    for origin in &mut origins {
        if let Err(error) = origin.resolve() {
            problem.get_or_insert(error);
        }
    }
    match problem {
        Some(source) if plan.connections.fail_fast && origins.iter().all(|origin| origin.addresses.is_empty()) => {
            Err(SetupError::Unreachable {
                outcome: source.outcome(),
                source,
            })
        }
        _ => Ok((origins, of_request)),
    }
}

pub(crate) fn dialer(plan: &Plan, origins: &[Origin]) -> Result<Dialer, SetupError> {
    let tls = if origins.iter().any(Origin::is_tls) {
        Some(tls::config(&plan.tls, plan.connections.protocol)?)
    } else {
        None
    };
    Ok(Dialer {
        tls,
        server_name: plan.tls.server_name.clone(),
        timeout: plan.connections.connect_timeout,
        only_http2: plan.connections.protocol == Protocol::Http2,
    })
}

pub(crate) fn prepare(plan: &Plan, origins: &[Origin], of_request: &[usize]) -> Result<Vec<Prepared>, SetupError> {
    plan.requests
        .iter()
        .zip(of_request)
        .map(|(request, &origin)| {
            let server = &origins[origin];
            let needs_body = plan
                .checks
                .iter()
                .enumerate()
                .any(|(index, check)| request.checks & (1 << index) != 0 && check.needs_body());
            Prepared::new(request, origin, server.scheme, &server.authority, needs_body)
        })
        .collect::<Result<_, Impossible>>()
        .map_err(|Impossible(what)| SetupError::Plan(what))
}

pub(crate) fn pools(plan: &Plan, origins: &[Origin], dialer: &Dialer, shard: usize, shards: usize) -> Vec<Pool> {
    let part = |all: usize| all / shards + usize::from(shard < all % shards);
    origins
        .iter()
        .enumerate()
        .map(|(index, origin)| {
            Pool::new(
                origin.clone(),
                dialer.clone(),
                index,
                part(plan.connections.max),
                part(plan.connections.max_waiting).max(1),
                plan.connections.no_reuse,
            )
        })
        .collect()
}
