//! `receipts verify | export | keygen`.

use crate::args::receipts::{ExportArgs, KeygenArgs, ReceiptsCommand, VerifyArgs};
use crate::job::receipt_dir;
use crate::{failure, setup};
use anyhow::Context as _;
use retention_proof::verify::{Options, Report};
use retention_proof::{PublicKey, SigningKey};
use retention_store::{audit, receipt};
use runtime::exit::{Exit, Failure, ResultExt as _};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Receipts that are read at once.
const PAGE: u32 = 100;
/// What `verify` looks for in a folder.
const AUDIT_FILE: &str = "audit.jsonl";

/// Does it.
pub(crate) fn receipts(command: &ReceiptsCommand) -> Result<Exit, Failure> {
    match command {
        ReceiptsCommand::Verify(args) => verify(args),
        ReceiptsCommand::Export(args) => setup::block_on(&args.log, |_| export(args)),
        ReceiptsCommand::Keygen(args) => keygen(args),
    }
}

/// Offline: no database, no network.
fn verify(args: &VerifyArgs) -> Result<Exit, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let mut keys = Vec::new();
    if let Some(path) = setup::path(args.key.as_ref()) {
        let pem = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the public key {}", path.display()))
            .exit(Exit::Usage)?;
        keys.push(
            PublicKey::from_pem(&pem)
                .with_context(|| format!("cannot use the public key {}", path.display()))
                .exit(Exit::Usage)?,
        );
    } else if !args.allow_unsigned {
        return Err(Failure::usage(
            "no public key is named (--key or RETENTION_VERIFY_KEY_FILE); without one only the chain can be verified: \
             --allow-unsigned",
        ));
    }
    let options = Options {
        keys,
        allow_unsigned: args.allow_unsigned,
        expect_head: args.expect_head.clone(),
    };
    let in_folder = args.path.join(AUDIT_FILE);
    let audit = args
        .audit
        .clone()
        .or_else(|| (args.path.is_dir() && in_folder.exists()).then_some(in_folder));
    let report = retention_proof::verify_files::verify_path(&args.path, audit.as_deref(), options).exit(Exit::Usage)?;
    runtime::output::either(args.output.output.resolve(), &report, describe)
        .context("writing the result")
        .exit(Exit::Dependency)?;
    Ok(if report.is_sound() { Exit::Done } else { Exit::Negative })
}

#[derive(Serialize)]
struct Exported {
    receipts: u64,
    audit_rows: u64,
}

async fn export(args: &ExportArgs) -> Result<Exit, Failure> {
    let session = setup::session(&args.database, "retention-job receipts").await?;
    retention_store::inspect(&session).await.map_err(failure::init)?;
    receipt_dir::fill(&session, &args.dir).await?;
    let (final_path, new) = (args.dir.join(AUDIT_FILE), args.dir.join(".audit.jsonl.new"));
    let written = rows(&session, &new).await?;
    fs::rename(&new, &final_path)
        .with_context(|| format!("cannot write {}", final_path.display()))
        .exit(Exit::Dependency)?;
    runtime::output::either(args.output.output.resolve(), &written, |written| {
        format!(
            "{} receipts and {} audit rows are in {}",
            written.receipts,
            written.audit_rows,
            args.dir.display()
        )
    })
    .context("writing the result")
    .exit(Exit::Dependency)?;
    Ok(Exit::Done)
}

/// The audit rows of every run that has a receipt, in the order of the receipts.
async fn rows(session: &pg_session::Session, path: &Path) -> Result<Exported, Failure> {
    let cannot = || format!("cannot write {}", path.display());
    let mut out = BufWriter::new(File::create(path).with_context(cannot).exit(Exit::Dependency)?);
    let mut exported = Exported {
        receipts: 0,
        audit_rows: 0,
    };
    let mut after = 0;
    loop {
        let page = receipt::page(session, after, PAGE)
            .await
            .map_err(failure::db("cannot read the receipts"))?;
        let Some(last) = page.last() else { break };
        after = last.number;
        for receipt in &page {
            exported.receipts += 1;
            exported.audit_rows += audit::export(session, &receipt.run_id, &mut out)
                .await
                .context("cannot export the audit rows")
                .exit(Exit::Dependency)?;
        }
    }
    out.flush().with_context(cannot).exit(Exit::Dependency)?;
    out.get_ref().sync_all().with_context(cannot).exit(Exit::Dependency)?;
    Ok(exported)
}

fn keygen(args: &KeygenArgs) -> Result<Exit, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let key = SigningKey::generate().exit(Exit::Dependency)?;
    let mut public = args.out.clone().into_os_string();
    public.push(".pub");
    let public = std::path::PathBuf::from(public);
    write_new(&args.out, key.to_pem().exit(Exit::Dependency)?.as_bytes(), 0o600)?;
    write_new(&public, key.public().to_pem().as_bytes(), 0o644)?;
    runtime::output::human(&format!(
        "{} (keep it secret) and {}; key id {}",
        args.out.display(),
        public.display(),
        key.public().keyid()
    ))
    .context("writing the result")
    .exit(Exit::Dependency)?;
    Ok(Exit::Done)
}

/// Never over a key that is there.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))
        .exit(Exit::Usage)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))
        .exit(Exit::Dependency)
}

fn describe(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let _ = writeln!(text, "WRONG  {finding}");
    }
    if report.more_findings > 0 {
        let _ = writeln!(text, "       and {} more", report.more_findings);
    }
    for proved in &report.proved {
        let _ = writeln!(text, "proved      {proved}");
    }
    for open in &report.not_proved {
        let _ = writeln!(text, "not proved  {open}");
    }
    let _ = writeln!(
        text,
        "{} receipts, {} audit rows: {}",
        report.receipts,
        report.audit_rows,
        if report.is_sound() { "sound" } else { "NOT SOUND" }
    );
    if let Some(head) = &report.head {
        let _ = writeln!(text, "head sha256:{head}");
    }
    text
}
