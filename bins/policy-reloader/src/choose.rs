//! Owns the choice of the activation: what the option says, or what OPA's own configuration tells.

use std::time::Duration;

use opa_client::{BundleServer, polls_us};
use runtime::{
    admin::Health,
    backoff::Backoff,
    exit::{Exit, Failure, ResultExt as _},
};

use crate::{
    activate::{Activation, BundleMode, EmbeddedMode, PushMode, Target},
    args::{ActivationChoice, RunArgs},
    board::Board,
    feed::Feed,
};

/// First pause while OPA cannot be asked, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause while OPA cannot be asked: it adds to the time until its first decision.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Waits, in auto mode, until every OPA has said how it is configured.
pub(crate) async fn choose(
    args: &RunArgs,
    once: bool,
    feed: Feed,
    embedded: EmbeddedMode,
    targets: Vec<Target>,
    board: &Board,
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
        ActivationChoice::Auto => {
            if let Some(name) = detect(args, once, &targets, board, health).await? {
                return bundle(name, targets);
            }
            warn_push("OPA's configuration has no bundle that comes from here");
            Ok(Activation::Push(PushMode::new(targets)))
        }
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

/// The name that the OPAs give to the bundle they poll from us. All of them are asked; they have to agree. `once` does
/// not wait for an OPA that is away.
async fn detect(
    args: &RunArgs,
    once: bool,
    targets: &[Target],
    board: &Board,
    health: &Health,
) -> Result<Option<String>, Failure> {
    let path = format!("/bundles/{}", args.opa.bundle_name);
    let server = BundleServer {
        listen: args.opa.bundle_listen,
        advertised: &[],
        path: &path,
    };
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut names: Vec<Option<String>> = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        let config = loop {
            health.beat();
            match target.client.config().await {
                Ok(config) => break config,
                Err(error) if once => return Err(Failure::new(Exit::Dependency, error)),
                Err(error) => {
                    let why = crate::chain(&error);
                    board.waits_for_opa(number, why.clone(), crate::clock());
                    tracing::warn!(
                        opa = target.name,
                        error = why,
                        "cannot ask OPA how it is configured (--activation auto); trying again"
                    );
                    tokio::time::sleep(backoff.next_delay(fastrand::f64())).await;
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
        Ok([name]) => Ok(name),
        Err(names) => {
            tracing::warn!(
                ?names,
                "the OPAs are not configured alike; give all of them what `policy-reloader opa-config` prints"
            );
            Ok(None)
        }
    }
}
