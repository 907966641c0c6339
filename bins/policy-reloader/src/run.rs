//! Owns `run` and `once`: ports first, then parts, then the loop, then the drain.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use runtime::{
    admin::{AdminOptions, AdminServer, Health},
    exit::{Exit, Failure, ResultExt as _},
    server::{self, Bound, Limits},
    shutdown::Shutdown,
};
use tokio::sync::mpsc;

use crate::{
    activate::EmbeddedMode,
    args::{ActivationChoice, RunArgs},
    board::Board,
    bundle_server, choose, decision_api,
    feed::Feed,
    follow,
    metrics::Metrics,
    reconciler::{Parts, Reconciler},
    setup, status_api,
    store::Store,
};

/// How long a shutdown may take: longer than an activation in flight usually needs, shorter than Kubernetes' 30 s.
const DRAIN: Duration = Duration::from_secs(20);
/// The loop beats at every watch; a loop that has been silent for this long is stuck.
const HEARTBEAT: Duration = Duration::from_mins(3);

/// Starts the async runtime and runs until a signal, or once.
pub(crate) fn start(args: RunArgs, once: bool) -> Result<Exit, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let executor = tokio::runtime::Builder::new_multi_thread()
        // One thread moves bytes, one computes: more would only cost memory.
        .worker_threads(2)
        .thread_stack_size(crate::STACK)
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
    if once && args.opa.activation == ActivationChoice::Embedded {
        return Err(Failure::usage(
            "`once` with --activation embedded does nothing: the answers end with the process; use `run`",
        ));
    }
    let bound = bind(&args, once)?;
    let rules = setup::rules(&args.pack)?;
    let url = args.pack_url.as_deref().ok_or_else(|| {
        Failure::usage(
            "no pack URL is set (--pack-url or MC_POLICY_PACK_URL), for example \
             https://mc.example.com/v1/policy/packs/policy-pack-v0",
        )
    })?;
    let mc_token = setup::secret("MC_TOKEN", args.mc_token.as_ref(), args.mc_token_file.as_deref())?;
    let client = setup::pack_client(url, "--pack-url (MC_POLICY_PACK_URL)", mc_token, &args.http)?;
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
    let saved = if let Some(store) = &store {
        store.load_state().exit(Exit::Dependency)?
    } else {
        tracing::warn!("no --state-dir: a restart forgets the last good pack and its revision");
        None
    };

    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let health = Health::with_heartbeat(HEARTBEAT);
    let (refresh, wishes) = mpsc::channel(16);
    let feed = Feed::default();
    let embedded = EmbeddedMode::default();

    if let Some(bound) = bound.bundle {
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
    if let Some(bound) = bound.opa {
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
    if let Some(admin) = bound.admin {
        tracing::info!(address = %admin.local_addr(), "admin port open");
        let extra = status_api::router(board.clone(), refresh, admin_token);
        tokio::spawn(admin.serve(health.clone(), Arc::new(registry), extra, shutdown.clone()));
    }

    let activation = tokio::select! {
        activation = choose::choose(&args, once, feed, embedded, targets, &board, &health) => activation?,
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
        follow::run_once(reconciler, &args, &shutdown).await
    } else {
        follow::follow(reconciler, &args, wishes, &health, &shutdown).await
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
