//! Owns a small, whole proof: runs with audit rows and a chain of receipts.

use jiff::Timestamp;
use retention_proof::receipt::{Database, Erasures, PolicyRef, ReceiptKind, SubjectOutcome, Tool};
use retention_proof::{
    AuditLine, AuditRow, AuditSummary, ChainCheck, ChainHash, Envelope, LedgerKey, Outcome, Receipt, RuleResult,
    SigningKey,
};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn row(run_id: &str, seq: u64) -> AuditRow {
    AuditRow {
        run_id: run_id.to_owned(),
        seq,
        rule: "old-events".to_owned(),
        table_name: "public.Sch\u{f6}n \"x\"".to_owned(),
        action: "delete".to_owned(),
        rows: 1000 + seq,
        cascaded: seq % 2,
        cutoff: seq.is_multiple_of(2).then(|| at("2025-10-01T00:00:00Z")),
        started_at: at("2026-01-01T00:00:00.000001Z"),
        finished_at: at("2026-01-01T00:00:00.12Z"),
        policy_digest: "abc".to_owned(),
        strategy: "tid-range".to_owned(),
        position: (!seq.is_multiple_of(3)).then(|| format!("({seq},0)")),
    }
}

/// A run's rows with their links.
pub(crate) fn rows(run_id: &str, count: u64) -> Vec<AuditLine> {
    let mut link = ChainHash::start(run_id);
    (1..=count)
        .map(|seq| {
            let row = row(run_id, seq);
            link = row.link(link);
            AuditLine { row, link }
        })
        .collect()
}

pub(crate) fn summary(run_id: &str, lines: &[AuditLine]) -> AuditSummary {
    let mut check = ChainCheck::new(run_id);
    for line in lines {
        check.push(line).unwrap();
    }
    check.summary()
}

pub(crate) fn receipt(number: u64, previous: Option<String>, run_id: &str, audit: AuditSummary) -> Receipt {
    let mut erasures = Erasures::default();
    let key = LedgerKey::new("0123456789abcdef").unwrap();
    erasures.add(Some(&key.mac("4711").to_hex()), SubjectOutcome::Completed);
    Receipt {
        format: Receipt::FORMAT,
        number,
        previous,
        run_id: run_id.to_owned(),
        kind: ReceiptKind::Run,
        tool: Tool {
            name: "retention-job".to_owned(),
            version: "0.1.0".to_owned(),
        },
        database: Database {
            name: "app".to_owned(),
            system_identifier: "7300000000000000001".to_owned(),
            oid: 16384,
            server_version: "15.8".to_owned(),
        },
        policy: PolicyRef {
            digest: "abc".to_owned(),
            source: "built-in".to_owned(),
            revision: Some(7),
        },
        as_of: at("2026-01-01T00:00:00Z"),
        started_at: at("2026-01-01T00:00:00Z"),
        finished_at: at("2026-01-01T00:01:00Z"),
        outcome: Outcome::Complete,
        rules: vec![RuleResult {
            rule: "old-events".to_owned(),
            table: "public.events".to_owned(),
            action: "delete".to_owned(),
            strategies: vec!["tid-range".to_owned()],
            cutoff: Some(at("2025-10-01T00:00:00Z")),
            due: 10,
            rows: 10,
            cascaded: 0,
            held: 0,
            blocked: 0,
            undated: 0,
            residue: Some(0),
            batches: 1,
            duration_ms: 5,
        }],
        erasures,
        audit,
        unapplied: Vec::new(),
        remains: vec!["backups".to_owned()],
    }
}

/// A whole proof.
#[derive(Clone)]
pub(crate) struct Proof {
    /// File names and envelopes, without a line end.
    pub(crate) receipts: Vec<(String, String)>,
    /// Lines of the audit export, without a line end.
    pub(crate) audit: Vec<String>,
    /// SHA-256 of the newest envelope.
    pub(crate) head: String,
}

/// `counts`: audit rows of each run.
pub(crate) fn proof(counts: &[u64], key: Option<&SigningKey>) -> Proof {
    let mut proof = Proof {
        receipts: Vec::new(),
        audit: Vec::new(),
        head: String::new(),
    };
    let mut previous = None;
    for (number, count) in (1..).zip(counts) {
        let run_id = format!("run-{number}");
        let lines = rows(&run_id, *count);
        let receipt = receipt(number, previous, &run_id, summary(&run_id, &lines));
        let envelope = Envelope::seal(&receipt, key).unwrap();
        proof.receipts.push((receipt.file_name(), envelope.to_json()));
        proof
            .audit
            .extend(lines.iter().map(|line| line.to_line().trim_end().to_owned()));
        proof.head = envelope.sha256();
        previous = Some(proof.head.clone());
    }
    proof
}
