//! `load-gate serve`: ports first, then parts, then answers until a signal.

use crate::{
    args::ServeArgs,
    evidence,
    serve::{
        board::BoardRules,
        http::{LARGEST_BODY, Service},
        metrics::Metrics,
        request::RequestRules,
        work::{Abilities, RunFn, worker},
    },
};
use anyhow::Context as _;
use prometheus_client::registry::Registry;
use runtime::{
    AdminOptions, AdminServer, Health, Limits, SecretSource, Shutdown,
    exit::{Exit, Failure, ResultExt as _},
    server::{self, Bound},
};
use std::{path::Path, sync::Arc, time::Duration};

/// What a request takes besides the wait that was asked for.
const MARGIN: Duration = Duration::from_secs(15);

/// Serves until SIGTERM.
pub(crate) fn serve(args: &ServeArgs) -> Result<Exit, Failure> {
    serve_with(args, super::serve_run::runs())
}

/// As [`serve`], with what carries load runs out.
pub(crate) fn serve_with(args: &ServeArgs, run: RunFn) -> Result<Exit, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let bound = server::bind(args.listen, "--listen").exit(Exit::Usage)?;
    let admin =
        AdminServer::bind(args.admin.admin_listen, AdminOptions::new(runtime::build_info!())).exit(Exit::Usage)?;
    let token = token(args)?;
    let rules = request_rules(args)?;
    let abilities = abilities(args, run)?;
    let executor = tokio::runtime::Builder::new_multi_thread()
        // One for the ports, one for what a check computes; load has threads of its own.
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the async runtime")
        .exit(Exit::Dependency)?;
    let done = executor.block_on(async {
        let shutdown = Shutdown::listen(args.drain).exit(Exit::Dependency)?;
        if let Some(token) = &token {
            // A token file that appears later would let nobody in until then, and look like a broken gate.
            token.get().await.context("cannot use the token").exit(Exit::Usage)?;
        }
        if let Some(evidence) = &abilities.evidence {
            evidence.try_token().await?;
        }
        let parts = Parts {
            bound,
            admin,
            token,
            rules,
            abilities,
        };
        answer(args, parts, shutdown).await;
        Ok(Exit::Done)
    });
    // A load run that does not stop at once must not keep the process.
    executor.shutdown_background();
    done
}

struct Parts {
    bound: Bound,
    admin: AdminServer,
    token: Option<SecretSource>,
    rules: RequestRules,
    abilities: Abilities,
}

async fn answer(args: &ServeArgs, parts: Parts, shutdown: Shutdown) {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let board = BoardRules {
        max_runs: usize::from(args.max_runs),
        max_evidence: usize::from(args.max_evidence),
        keep_for: args.keep_for,
        keep: usize::from(args.keep),
    };
    let limits = Limits {
        max_body_bytes: LARGEST_BODY,
        request_timeout: Some(args.max_wait.max(args.wait) + MARGIN),
        ..Limits::default()
    };
    if parts.token.is_none() {
        tracing::warn!("--insecure-no-auth: whoever reaches the port can start load and ask MC with our token");
    }
    let service = Service::new(parts.rules, board, worker(parts.abilities), metrics, shutdown.clone());
    let health = Health::new();
    let (address, admin_address) = (parts.bound.local_addr(), parts.admin.local_addr());
    let router = service.router(parts.token);
    let serving = tokio::spawn(parts.bound.serve(router, limits, shutdown.clone()));
    let nothing = axum::Router::new();
    tokio::spawn(
        parts
            .admin
            .serve(health.clone(), Arc::new(registry), nothing, shutdown.clone()),
    );
    health.set_ready(true, "");
    tracing::info!(%address, admin = %admin_address, "ready to answer");
    service.drained().await;
    shutdown.finish();
    // Answers on their way get there; how the port ended changes nothing any more.
    let _ = serving.await;
}

/// Whoever may ask can send load: no token, no service, unless that is said.
fn token(args: &ServeArgs) -> Result<Option<SecretSource>, Failure> {
    let token =
        SecretSource::from_args("SERVE_TOKEN", args.token.clone(), args.token_file.clone()).exit(Exit::Usage)?;
    match (&token, args.insecure_no_auth) {
        (Some(_), true) => Err(Failure::usage(
            "--insecure-no-auth and a token are both set; keep one of them",
        )),
        (None, false) => Err(Failure::usage(
            "no token is set (--token-file, SERVE_TOKEN_FILE or SERVE_TOKEN): whoever reaches the port could start load; \
             set one, or say --insecure-no-auth",
        )),
        (Some(_), false) | (None, true) => Ok(token),
    }
}

fn request_rules(args: &ServeArgs) -> Result<RequestRules, Failure> {
    if args.wait > args.max_wait {
        return Err(Failure::usage(format!(
            "--wait ({} s) is longer than --max-wait ({} s)",
            args.wait.as_secs_f64(),
            args.max_wait.as_secs_f64()
        )));
    }
    let origins = args.allow_origin.iter().map(|text| {
        let url = runtime::http::parse_base_url(text)
            .context("--allow-origin (LOAD_GATE_ALLOW_ORIGIN)")
            .exit(Exit::Usage)?;
        let bare = url.path() == "/" && url.query().is_none() && url.username().is_empty() && url.password().is_none();
        if bare {
            return Ok(url.origin());
        }
        Err(Failure::usage(format!(
            "--allow-origin: expected scheme, host and port such as https://canary.example.com:8443, found more in {}",
            runtime::http::redact(&url)
        )))
    });
    Ok(RequestRules {
        wait: args.wait,
        max_wait: args.max_wait,
        allowed: origins.collect::<Result<_, Failure>>()?,
    })
}

fn abilities(args: &ServeArgs, run: RunFn) -> Result<Abilities, Failure> {
    let evidence = match args.mc.mc_url {
        Some(_) => Some(evidence::Options::from_args(&args.mc, &args.http)?),
        None => None,
    };
    if let Some(folder) = &args.scenarios_dir {
        check_folder(folder)?;
    }
    let runs = args.scenarios_dir.clone().map(|folder| (folder, run));
    if evidence.is_none() && runs.is_none() {
        return Err(Failure::usage(
            "there is nothing to serve: set --scenarios-dir (load runs), --mc-url (evidence checks), or both",
        ));
    }
    Ok(Abilities { evidence, runs })
}

fn check_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::read_dir(folder)
        .with_context(|| {
            format!(
                "cannot read the folder {} (--scenarios-dir or LOAD_GATE_SCENARIOS_DIR)",
                folder.display()
            )
        })
        .exit(Exit::Usage)?;
    Ok(())
}
