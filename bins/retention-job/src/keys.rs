//! Owns the keys of a run: for receipts, for `hmac` columns, for the ledger.

use crate::args::keys::KeyArgs;
use crate::{failure, setup};
use anyhow::Context as _;
use pg_session::{Session, Target};
use retention_engine::Ledger;
use retention_plan::preflight::{Finding, Severity};
use retention_plan::resolve::{HmacKey, Keys};
use retention_proof::{LedgerKey, SigningKey};
use retention_store::erasure::LedgerPosition;
use runtime::Secret;
use runtime::exit::{Exit, Failure, ResultExt as _};
use std::path::Path;
use std::time::Duration;

/// A key shorter than this can be guessed.
const LEAST_HMAC_KEY: usize = 16;

/// The key that signs receipts, if one is named.
pub(crate) fn signing(args: &KeyArgs) -> Result<Option<SigningKey>, Failure> {
    let Some(path) = setup::path(args.signing_key_file.as_ref()) else {
        return Ok(None);
    };
    let pem = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the signing key {}", path.display()))
        .exit(Exit::Usage)?;
    let key = SigningKey::from_pem(&pem)
        .with_context(|| format!("cannot use the signing key {}", path.display()))
        .exit(Exit::Usage)?;
    Ok(Some(key))
}

/// Keys that the statements need.
pub(crate) async fn statements(args: &KeyArgs) -> Result<Keys, Failure> {
    let source = setup::secret(
        "RETENTION_HMAC_KEY",
        args.hmac_key.as_ref(),
        args.hmac_key_file.as_ref(),
    )?;
    let Some(source) = source else {
        return Ok(Keys { hmac: None });
    };
    let key = source.get().await.exit(Exit::Usage)?;
    if key.expose().len() < LEAST_HMAC_KEY {
        return Err(Failure::usage(format!(
            "RETENTION_HMAC_KEY has {} characters; expected at least {LEAST_HMAC_KEY}, for example from `openssl rand -hex 32`",
            key.expose().len()
        )));
    }
    Ok(Keys {
        hmac: Some(HmacKey::new(key.expose().as_bytes())),
    })
}

/// Where the ledger is, and its key.
pub(crate) struct LedgerPlace {
    place: Secret,
    key: LedgerKey,
}

/// The ledger, if one is named; it is not opened yet.
pub(crate) async fn ledger_place(args: &KeyArgs) -> Result<Option<LedgerPlace>, Failure> {
    let Some(place) = args.ledger.as_ref().filter(|place| !place.is_empty()) else {
        return Ok(None);
    };
    let source = setup::secret(
        "RETENTION_LEDGER_KEY",
        args.ledger_key.as_ref(),
        args.ledger_key_file.as_ref(),
    )?
    .ok_or_else(|| {
        Failure::usage("RETENTION_LEDGER needs its key: RETENTION_LEDGER_KEY or RETENTION_LEDGER_KEY_FILE")
    })?;
    let key = source.get().await.exit(Exit::Usage)?;
    let key = LedgerKey::new(key.expose())
        .context("RETENTION_LEDGER_KEY")
        .exit(Exit::Usage)?;
    let place = place.clone();
    Ok(Some(LedgerPlace { place, key }))
}

/// Opens the ledger, if one is named.
pub(crate) async fn ledger(
    place: Option<LedgerPlace>,
    governed: &Session,
    position: Option<&LedgerPosition>,
) -> Result<Option<Ledger>, Failure> {
    match place {
        None => Ok(None),
        Some(LedgerPlace { place, key }) => open(&place, key, governed, position).await.map(Some),
    }
}

async fn open(
    place: &Secret,
    key: LedgerKey,
    governed: &Session,
    position: Option<&LedgerPosition>,
) -> Result<Ledger, Failure> {
    let text = place.expose();
    if is_address(text) {
        let session = ledger_session(text).await?;
        return Ledger::database(session, governed, key, position)
            .await
            .map_err(failure::ledger);
    }
    Ledger::file(Path::new(text), key, position).map_err(failure::ledger)
}

fn is_address(place: &str) -> bool {
    place.starts_with("postgres://") || place.starts_with("postgresql://")
}

async fn ledger_session(address: &str) -> Result<Session, Failure> {
    let target = Target::parse_as("RETENTION_LEDGER", address).map_err(failure::target)?;
    let options = setup::session_options("retention-job ledger", Duration::from_secs(10), Duration::ZERO);
    target.connect(&options).await.map_err(failure::target)
}

/// A ledger in the governed database's own cluster does not outlive a restore: that is worth a warning. A ledger that
/// cannot be reached is no business of this question.
pub(crate) async fn ledger_warning(args: &KeyArgs, governed: &Session) -> Option<Finding> {
    let place = args.ledger.as_ref().filter(|place| is_address(place.expose()))?;
    let asked = match ledger_session(place.expose()).await {
        Ok(session) => retention_engine::ledger::same_cluster(&session, governed)
            .await
            .map_err(|error| runtime::exit::chain_of(&error)),
        Err(failure) => Err(runtime::exit::chain(&failure.error)),
    };
    match asked {
        Ok(true) => Some(Finding {
            severity: Severity::Warning,
            code: "ledger-in-the-same-cluster",
            rule: None,
            object: "RETENTION_LEDGER".to_owned(),
            message: "RETENTION_LEDGER is a database of the cluster that it protects: a restore of the cluster would take \
                      the ledger back too, and subjects erased since would return without anybody noticing; put it into \
                      another cluster, or into a file on another volume"
                .to_owned(),
        }),
        Ok(false) => None,
        Err(error) => {
            tracing::warn!("it is not known whether the ledger is in the same cluster as its database: {error}");
            None
        }
    }
}
