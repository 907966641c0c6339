//! Owns the keys of a run: for receipts, for `hmac` columns, for the ledger.

use crate::args::keys::KeyArgs;
use crate::{failure, setup};
use anyhow::Context as _;
use pg_session::{Session, Target};
use retention_engine::Ledger;
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
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        let target = Target::parse_as("RETENTION_LEDGER", text).map_err(failure::target)?;
        let options = setup::session_options("retention-job ledger", Duration::from_secs(10), Duration::ZERO);
        let session = target.connect(&options).await.map_err(failure::target)?;
        return Ledger::database(session, governed, key, position)
            .await
            .map_err(failure::ledger);
    }
    Ledger::file(Path::new(text), key, position).map_err(failure::ledger)
}
