//! Owns `run` and `once`: ports first, then parts, then the loop, then the drain.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use opa_client::{BundleServer, polls_us};
use prometheus_client::registry::Registry;
use runtime::{
    admin::{AdminOptions, AdminServer, Health},
    backoff::Backoff,
    exit::{Exit, Failure, ResultExt as _},
    server::{self, Bound, Limits},
    shutdown::Shutdown,
};
use tokio::sync::mpsc;

use crate::{
    activate::{Activation, BundleMode, EmbeddedMode, PushMode, Target},
    args::{ActivationChoice, RunArgs},
    board::Board,
    bundle_server, decision_api,
    feed::Feed,
    metrics::Metrics,
    reconciler::{Outcome, Parts, Reconciler},
    setup, status_api,
    store::Store,
};

/// How long a shutdown may take: longer than an activation in flight usually needs, shorter than Kubernetes' 30 s.
const DRAIN: Duration = Duration::from_secs(20);
/// First pause after a failed poll, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause after failed polls.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The loop beats at every watch; a loop that has been silent for this long is stuck.
const HEARTBEAT: Duration = Duration::from_secs(180);

/// Starts the async runtime and runs until a signal, or once.
pub(crate) fn start(args: RunArgs, once: bool) -> Result<Exit, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let executor = tokio::runtime::Builder::new_multi_thread()
        // One thread moves bytes, one computes: more would only cost memory.
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the async runtime")
        .exit(Exit::Dependency)?;
    executor.block_on(async {
        let shutdown = Shutdown::listen(DRAIN).exit(Exit::Dependency)?;
        run(args, once, shutdown).await
    })
}

/// Everything that is bound before any other work.
struct Ports {
    admin: Option<AdminServer>,
    bundle: Option<Bound>,
    opa: Option<Bound>,
}

fn bind(args: &RunArgs, once: bool) -> Result<Ports, Failure> {
    let choice = args.opa.activation;
    let serves_bundles = matches!(choice, ActivationChoice::Auto | ActivationChoice::Bundle);
    let admin = || AdminServer::bind(args.admin.admin_listen, AdminOptions::new(setup::build()));
    Ok(Ports {
        // A job that runs once has nobody to probe it.
        admin: if once { None } else { Some(admin().exit(Exit::Usage)?) },
        bundle: serves_bundles
            .then(|| server::bind(args.opa.bundle_listen, "--bundle-listen"))
            .transpose()
            .exit(Exit::Usage)?,
        opa: (choice == ActivationChoice::Embedded)
            .then(|| server::bind(args.opa.opa_listen, "--opa-listen"))
            .transpose()
            .exit(Exit::Usage)?,
    })
}

/// Runs until `shutdown`, or until one reconciliation is done.
pub async fn run(args: RunArgs, once: bool, shutdown: Shutdown) -> Result<Exit, Failure> {
    let ports = bind(&args, once)?;
    let rules = setup::rules(&args.pack)?;
    let url = args.pack_url.as_deref().ok_or_else(|| {
        Failure::usage(
            "no pack URL is set (--pack-url or MC_POLICY_PACK_URL), for example \
             https://mc.example.com/v1/policy/packs/policy-pack-v0",
        )
    })?;
    let mc_token = setup::secret("MC_TOKEN", args.mc_token.as_ref(), args.mc_token_file.as_deref())?;
    let client = setup::pack_client(url, mc_token, &args.http)?;
    let targets = match args.opa.activation {
        ActivationChoice::Embedded => Vec::new(),
        _ => setup::targets(&args.opa, &args.http)?,
    };
    let bundle_token = setup::secret(
        "BUNDLE_TOKEN",
        args.opa.bundle_token.as_ref(),
        args.opa.bundle_token_file.as_deref(),
    )?;
    let admin_token = args.admin.token().exit(Exit::Usage)?;
    let store = args
        .state_dir
        .as_deref()
        .map(Store::open)
        .transpose()
        .exit(Exit::Usage)?;
    let saved = match &store {
        Some(store) => store.load_state().exit(Exit::Dependency)?,
        None => {
            tracing::warn!("no --state-dir: a restart forgets the last good pack and its revision");
            None
        }
    };

    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let health = Health::with_heartbeat(HEARTBEAT);
    let (refresh, wishes) = mpsc::channel(16);
    let feed = Feed::default();
    let embedded = EmbeddedMode::default();

    if let Some(bound) = ports.bundle {
        let router = bundle_server::router(&args.opa.bundle_name, feed.clone(), shutdown.clone());
        let router = match bundle_token {
            Some(token) => runtime::admin::require_bearer(router, token),
            None => router,
        };
        let limits = Limits {
            request_timeout: None,
            max_body_bytes: bundle_server::STATUS_LIMIT,
            ..Limits::default()
        };
        tokio::spawn(bound.serve(router, limits, shutdown.clone()));
    }
    if let Some(bound) = ports.opa {
        tokio::spawn(bound.serve(
            decision_api::router(embedded.clone()),
            Limits::default(),
            shutdown.clone(),
        ));
    }

    let names: Vec<String> = match args.opa.activation {
        ActivationChoice::Embedded => vec!["embedded".to_owned()],
        _ => targets.iter().map(|target| target.name.clone()).collect(),
    };
    let board = Board::new(
        activation_name(args.opa.activation),
        &names,
        rules.verifier.mode().as_str(),
        runtime::http::redact(client.pack_url()),
        metrics,
        health.clone(),
        crate::clock(),
    );
    if let Some(admin) = ports.admin {
        tracing::info!(address = %admin.local_addr(), "admin port open");
        let extra = status_api::router(board.clone(), refresh, admin_token);
        tokio::spawn(admin.serve(health.clone(), Arc::new(registry), extra, shutdown.clone()));
    }

    let activation = tokio::select! {
        activation = choose(&args, feed, embedded, targets, &health) => activation?,
        () = shutdown.recv() => {
            shutdown.finish();
            return Ok(Exit::Done);
        }
    };
    board.activation(activation.name());
    let parts = Parts {
        client,
        rules: Arc::new(rules),
        activation: Arc::new(activation),
        store,
        board,
        limit: args.pack.max_pack_bytes,
        clock: crate::clock,
    };
    let reconciler = Reconciler::new(parts, saved);
    let exit = if once {
        run_once(reconciler, &args, &shutdown).await
    } else {
        follow(reconciler, &args, wishes, &health, &shutdown).await
    };
    shutdown.finish();
    exit
}

fn activation_name(choice: ActivationChoice) -> &'static str {
    match choice {
        ActivationChoice::Auto => "auto",
        ActivationChoice::Bundle => "bundle",
        ActivationChoice::Push => "push",
        ActivationChoice::Embedded => "embedded",
    }
}

/// Waits, in auto mode, until every OPA has said how it is configured.
async fn choose(
    args: &RunArgs,
    feed: Feed,
    embedded: EmbeddedMode,
    targets: Vec<Target>,
    health: &Health,
) -> Result<Activation, Failure> {
    let patience = Duration::from_millis(args.opa.activation_timeout_ms);
    let bundle = |name: String, targets: Vec<Target>| {
        BundleMode::new(name, feed, targets, patience)
            .map(Activation::Bundle)
            .exit(Exit::Usage)
    };
    match args.opa.activation {
        ActivationChoice::Embedded => Ok(Activation::Embedded(embedded)),
        ActivationChoice::Push => {
            warn_push("--activation push");
            Ok(Activation::Push(PushMode::new(targets)))
        }
        ActivationChoice::Bundle => bundle(args.opa.bundle_name.clone(), targets),
        ActivationChoice::Auto => match detect(args, &targets, health).await {
            Some(name) => bundle(name, targets),
            None => {
                warn_push("OPA's configuration has no bundle that comes from here");
                Ok(Activation::Push(PushMode::new(targets)))
            }
        },
    }
}

fn warn_push(why: &str) {
    tracing::warn!(
        why,
        "push mode: policy and data change one after the other, so decisions in between can mix two packs, and an OPA \
         restart answers undefined until it is noticed; to switch to bundle mode start OPA with the configuration that \
         `policy-reloader opa-config` prints"
    );
}

/// The name that the OPAs give to the bundle they poll from us. All of them are asked; they have to agree.
async fn detect(args: &RunArgs, targets: &[Target], health: &Health) -> Option<String> {
    let path = format!("/bundles/{}", args.opa.bundle_name);
    let server = BundleServer {
        listen: args.opa.bundle_listen,
        advertised: &[],
        path: &path,
    };
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut names: Vec<Option<String>> = Vec::new();
    for target in targets {
        let config = loop {
            health.beat();
            match target.client.config().await {
                Ok(config) => break config,
                Err(error) => {
                    health.set_ready(
                        false,
                        format!("OPA {} cannot be asked for its configuration", target.name),
                    );
                    tracing::warn!(
                        opa = target.name,
                        error = crate::chain(&error),
                        "cannot ask OPA how it is configured (--activation auto); trying again"
                    );
                    tokio::time::sleep(backoff.next_delay(jitter())).await;
                }
            }
        };
        let source = polls_us(&config, &server);
        let source = source.filter(|source| source.path_is_ours);
        names.push(source.as_ref().map(|source| source.bundle.clone()));
        if let Some(source) = source {
            tracing::info!(
                opa = target.name,
                service = source.service,
                bundle = source.bundle,
                "OPA polls us: bundle mode"
            );
            if !source.status_to_us {
                tracing::warn!(
                    opa = target.name,
                    "OPA does not post its status to us: a bundle that it refuses is noticed only by waiting; set \
                     `status.service` as `policy-reloader opa-config` shows"
                );
            }
            if source.long_polling_seconds.is_none() {
                tracing::warn!(
                    opa = target.name,
                    "OPA does not use long polling: a new pack waits for its next poll; set \
                     `polling.long_polling_timeout_seconds` as `policy-reloader opa-config` shows"
                );
            }
        }
    }
    names.dedup();
    match <[Option<String>; 1]>::try_from(names) {
        Ok([name]) => name,
        Err(names) => {
            tracing::warn!(
                ?names,
                "the OPAs are not configured alike; give all of them what `policy-reloader opa-config` prints"
            );
            None
        }
    }
}

fn jitter() -> f64 {
    fastrand::f64()
}

/// The pause before the next poll.
fn pause(outcome: &Outcome, interval: Duration, backoff: &mut Backoff, unit: f64) -> Duration {
    match outcome {
        Outcome::Failed { retry_after, .. } => {
            let own = backoff.next_delay(unit);
            // MC may ask for more patience than we have; we may have more than it asks for.
            own.max(retry_after.unwrap_or_default())
                .min(LONGEST_PAUSE.max(interval))
        }
        _ => {
            backoff.reset();
            interval.mul_f64(0.9 + 0.2 * unit)
        }
    }
}

async fn follow(
    mut reconciler: Reconciler,
    args: &RunArgs,
    mut wishes: mpsc::Receiver<status_api::Refresh>,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<Exit, Failure> {
    let interval = Duration::from_millis(args.poll_interval_ms);
    let watch = Duration::from_millis(args.opa.watch_interval_ms);
    let mut backoff = Backoff::new(FIRST_PAUSE.min(interval), LONGEST_PAUSE.min(interval));
    let mut next_poll = Instant::now();
    let mut next_watch = Instant::now() + watch;
    loop {
        health.beat();
        let now = Instant::now();
        let mut waiting: Vec<status_api::Refresh> = Vec::new();
        tokio::select! {
            () = shutdown.recv() => break,
            Some(wish) = wishes.recv() => {
                waiting.push(wish);
                while let Ok(wish) = wishes.try_recv() {
                    waiting.push(wish);
                }
                next_poll = now;
            }
            () = tokio::time::sleep_until(next_poll.min(next_watch).into()) => {}
        }
        if Instant::now() >= next_poll {
            let outcome = reconciler.poll().await;
            next_poll = Instant::now() + pause(&outcome, interval, &mut backoff, jitter());
            for wish in waiting {
                // Whoever asked may be gone by now.
                let _ = wish.send(outcome.clone());
            }
        }
        if Instant::now() >= next_watch {
            reconciler.watch().await;
            next_watch = Instant::now() + watch;
        }
    }
    tracing::info!("shutting down; OPA goes on deciding by what it has");
    Ok(Exit::Done)
}

/// One poll, and in its wake as many looks at OPA as its activation may take.
async fn run_once(mut reconciler: Reconciler, args: &RunArgs, shutdown: &Shutdown) -> Result<Exit, Failure> {
    let outcome = tokio::select! {
        outcome = reconciler.poll() => outcome,
        () = shutdown.recv() => Outcome::Pending("interrupted by a signal".to_owned()),
    };
    let output = args.output.output.resolve();
    runtime::output::either(output, &status_api::summary(&outcome), |_| once_line(&outcome))
        .context("writing the result")
        .exit(Exit::Dependency)?;
    Ok(match outcome {
        Outcome::Unchanged | Outcome::Activated(_) => Exit::Done,
        Outcome::Pending(_) => Exit::Partial,
        Outcome::Refused { .. } => Exit::Negative,
        Outcome::Failed { .. } => Exit::Dependency,
    })
}

fn once_line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Unchanged => "nothing to do: OPA decides by the current pack".to_owned(),
        Outcome::Activated(info) => format!("activated {}, signed by {}", info.digest, info.signer),
        Outcome::Pending(message) => format!("accepted, but not active yet: {message}"),
        Outcome::Refused { reason, message } => format!("refused ({reason}): {message}"),
        Outcome::Failed { message, .. } => format!("no pack: {message}"),
    }
}
