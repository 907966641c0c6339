//! Receipts: flipped bytes, wrong keys, gaps, swaps, two histories, cut tails; in memory and in files.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use retention_proof::verify::Options;
use retention_proof::{Envelope, EnvelopeError, Report, Signed, SigningKey, Verifier, What, verify_path};

use crate::support::{Proof, proof, receipt, rows, summary};

fn options(key: &SigningKey, head: Option<&str>) -> Options {
    Options {
        keys: vec![key.public().clone()],
        allow_unsigned: false,
        expect_head: head.map(str::to_owned),
    }
}

fn verify(proof: &Proof, options: Options) -> Report {
    let mut verifier = Verifier::new(options);
    for (name, text) in &proof.receipts {
        verifier.receipt(name, text, Some(name));
    }
    verifier.audit_is_given();
    for (number, line) in (1..).zip(&proof.audit) {
        verifier.audit_line(&format!("line {number}"), line);
    }
    verifier.finish()
}

fn kinds(report: &Report) -> Vec<String> {
    report
        .findings
        .iter()
        .map(|finding| {
            let what = serde_json::to_value(&finding.what).unwrap();
            format!("{} {}", finding.at, what["kind"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn a_whole_proof_is_sound_and_says_what_it_proves() {
    let key = SigningKey::generate().unwrap();
    let proof = proof(&[3, 0, 2], Some(&key));
    let report = verify(&proof, options(&key, Some(&proof.head)));
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(
        (report.receipts, report.last_number, report.audit_rows),
        (3, Some(3), 5)
    );
    assert_eq!(report.head.as_deref(), Some(proof.head.as_str()));
    let proved = report.proved.join("\n");
    for part in [
        "receipts 1 to 3",
        "expected head",
        &key.public().keyid(),
        "all 5 audit rows",
    ] {
        assert!(proved.contains(part), "{part} is missing in {proved}");
    }
    // What no such check can prove is always said.
    assert_eq!(report.not_proved.len(), 1);

    let report = verify(&proof, options(&key, None));
    assert!(report.is_sound());
    assert!(
        report.not_proved.join("\n").contains("--expect-head"),
        "a cut tail cannot be seen, and that is said"
    );

    let mut without_audit = Verifier::new(Options::default());
    for (name, text) in &proof.receipts {
        without_audit.receipt(name, text, Some(name));
    }
    let report = without_audit.finish();
    assert!(report.is_sound());
    let not_proved = report.not_proved.join("\n");
    assert!(
        not_proved.contains("5 audit rows") && not_proved.contains("no public key"),
        "{not_proved}"
    );
}

#[test]
fn every_flipped_bit_of_every_envelope_is_found() {
    let key = SigningKey::generate().unwrap();
    let whole = proof(&[1, 1], Some(&key));
    for which in 0..2 {
        let (name, text) = &whole.receipts[which];
        for at in 0..text.len() {
            // All bits of one, and one bit of each byte of the other.
            for bit in if which == 0 { 0..8 } else { at % 8..at % 8 + 1 } {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                // Files that are no text are told by verify_path.
                let Ok(flipped) = String::from_utf8(bytes) else {
                    continue;
                };
                let mut changed = whole.clone();
                changed.receipts[which].1 = flipped;
                // Without a head: the signature alone must do for the last.
                let report = verify(&changed, options(&key, None));
                assert!(!report.is_sound(), "{name}, byte {at} bit {bit}");
                assert!(report.proved.is_empty());
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_unsigned_envelopes_is_found_with_a_head() {
    let whole = proof(&[1, 1], None);
    let options = Options {
        allow_unsigned: true,
        expect_head: Some(whole.head.clone()),
        ..Options::default()
    };
    let report = verify(&whole, options.clone());
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.unsigned, 2);
    assert!(report.not_proved.join("\n").contains("not signed"));
    for which in 0..2 {
        let text = &whole.receipts[which].1;
        for at in (0..text.len()).step_by(3) {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(flipped) = String::from_utf8(bytes) else {
                continue;
            };
            let mut changed = whole.clone();
            changed.receipts[which].1 = flipped;
            assert!(
                !verify(&changed, options.clone()).is_sound(),
                "receipt {which}, byte {at}"
            );
        }
    }
    let strict = Options {
        allow_unsigned: false,
        ..options
    };
    assert_eq!(
        kinds(&verify(&whole, strict)),
        ["1-run-1.json unsigned", "2-run-2.json unsigned"]
    );
}

#[test]
fn the_wrong_key_is_told_and_a_replaced_one_is_taken() {
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let first = proof(&[1], Some(&old));
    let lines = rows("run-2", 1);
    let second = receipt(2, Some(first.head.clone()), "run-2", summary("run-2", &lines));
    let sealed = Envelope::seal(&second, Some(&new)).unwrap();
    let mut both = first.clone();
    both.receipts.push((second.file_name(), sealed.to_json()));
    both.audit.push(lines[0].to_line().trim_end().to_owned());
    let mut keys = options(&old, None);
    assert_eq!(kinds(&verify(&both, keys.clone())), ["2-run-2.json other-key"]);
    keys.keys.push(new.public().clone());
    let report = verify(&both, keys);
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.signed.len(), 2);
    // The name of the other key on our signature.
    let forged = sealed.to_json().replace(&new.public().keyid(), &old.public().keyid());
    assert_eq!(
        Envelope::parse(&forged).unwrap().signed(&[old.public().clone()]),
        Signed::Bad
    );
}

#[test]
fn dropped_swapped_repeated_and_cut_receipts_are_told() {
    let key = SigningKey::generate().unwrap();
    let whole = proof(&[1, 1, 1, 1], Some(&key));
    let check = |change: &dyn Fn(&mut Proof), head: bool| {
        let mut changed = whole.clone();
        change(&mut changed);
        kinds(&verify(&changed, options(&key, head.then_some(whole.head.as_str()))))
    };
    assert_eq!(
        check(&|p| drop(p.receipts.remove(1)), true),
        ["3-run-3.json gap", "line 2 audit-without-receipt"]
    );
    assert_eq!(
        check(&|p| drop(p.receipts.remove(0)), true),
        ["2-run-2.json gap", "line 1 audit-without-receipt"]
    );
    assert_eq!(
        check(&|p| p.receipts.swap(1, 2), true),
        ["3-run-3.json gap", "2-run-2.json repeated"]
    );
    let twice = check(
        &|p| {
            let again = p.receipts[1].clone();
            p.receipts.insert(2, again);
        },
        true,
    );
    assert_eq!(twice, ["2-run-2.json repeated", "2-run-2.json run-twice"]);
    // The tail: only with a head.
    let cut = |p: &mut Proof| {
        p.receipts.pop();
        p.audit.pop();
    };
    assert_eq!(check(&cut, true), ["the end tail-cut"]);
    assert!(check(&cut, false).is_empty());
    // Everything is gone.
    assert_eq!(
        check(
            &|p| {
                p.receipts.clear();
                p.audit.clear();
            },
            true
        ),
        ["the end tail-cut"]
    );
    // An older head: that far nothing is missing, and the rest is said.
    let older = proof(&[1, 1], Some(&key)).head;
    assert_ne!(older, whole.head);
    let report = verify(&whole, options(&key, Some(&older)));
    assert!(report.is_sound(), "{:?}", report.findings);
    assert!(report.not_proved.join("\n").contains("the expected head is receipt 2"));
}

#[test]
fn two_histories_of_a_restored_database_are_told_apart() {
    let key = SigningKey::generate().unwrap();
    let whole = proof(&[1, 1, 1], Some(&key));
    let second = Envelope::parse(&whole.receipts[1].1).unwrap();
    // A backup taken after receipt 2 came back: another receipt 3, and a 4 that follows it.
    let mut forked = whole.clone();
    let mut previous = second.sha256();
    for number in [3, 4] {
        let run_id = format!("after-{number}");
        let sealed = receipt(number, Some(previous), &run_id, summary(&run_id, &[]));
        let envelope = Envelope::seal(&sealed, Some(&key)).unwrap();
        forked.receipts.push((sealed.file_name(), envelope.to_json()));
        previous = envelope.sha256();
    }
    assert_eq!(
        kinds(&verify(&forked, options(&key, None))),
        ["3-after-3.json repeated"]
    );
}

#[test]
fn a_receipt_that_follows_another_one_is_told() {
    let key = SigningKey::generate().unwrap();
    let whole = proof(&[0], Some(&key));
    for (number, previous) in [(2, Some("0".repeat(64))), (2, None), (1, Some(whole.head.clone()))] {
        let mut changed = whole.clone();
        if number == 1 {
            changed.receipts.clear();
        }
        let second = receipt(number, previous, "run-x", summary("run-x", &[]));
        let envelope = Envelope::seal(&second, Some(&key)).unwrap();
        changed.receipts.push((second.file_name(), envelope.to_json()));
        let at = second.file_name();
        assert_eq!(
            kinds(&verify(&changed, options(&key, None))),
            [format!("{at} previous")]
        );
    }
}

#[test]
fn audit_rows_that_are_not_the_receipts_are_told_by_run_and_row() {
    let key = SigningKey::generate().unwrap();
    let whole = proof(&[3, 2], Some(&key));
    let check = |change: &dyn Fn(&mut Vec<String>)| {
        let mut changed = whole.clone();
        change(&mut changed.audit);
        let report = verify(&changed, options(&key, Some(&whole.head)));
        report
            .findings
            .into_iter()
            .map(|finding| match finding.what {
                What::Audit { run_id, seq, .. } => format!("{run_id} {seq}"),
                other => other.to_string(),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(check(&|lines| drop(lines.remove(1))), ["run-1 2"]);
    assert_eq!(check(&|lines| lines.swap(0, 1)), ["run-1 1"]);
    assert_eq!(check(&|lines| lines.insert(1, lines[0].clone())), ["run-1 2"]);
    assert_eq!(check(&|lines| drop(lines.pop())), ["run-2 2"]);
    assert_eq!(check(&Vec::clear), ["run-1 1", "run-2 1"]);
    assert_eq!(check(&|lines| lines[4] = lines[4].replace("1002", "1")), ["run-2 2"]);
    // Rows of different runs may be mixed; that is no change.
    assert!(check(&|lines| lines.swap(2, 3)).is_empty());
    // Rows that no receipt counts, and of a run that has none.
    let more = rows("run-1", 4);
    assert_eq!(
        check(&|lines| lines.push(more[3].to_line().trim_end().to_owned())),
        ["run-1 4"]
    );
    let stray = rows("stray", 2);
    let told = check(&|lines| lines.extend(stray.iter().map(|line| line.to_line().trim_end().to_owned())));
    assert_eq!(told, ["the run stray of this audit row has no receipt"]);
}

fn write(folder: &Path, proof: &Proof) {
    for (name, text) in &proof.receipts {
        fs::write(folder.join(name), format!("{text}\n")).unwrap();
    }
    fs::write(folder.join("audit.jsonl"), lines(&proof.audit)).unwrap();
}

fn lines(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn a_folder_and_a_file_of_lines_are_read() {
    let key = SigningKey::generate().unwrap();
    let counts = [1; 12];
    let whole = proof(&counts, Some(&key));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &whole);
    fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
    let check = || verify_path(folder.path(), None, options(&key, Some(&whole.head))).unwrap();
    let report = check();
    assert!(report.is_sound(), "10 comes after 9: {:?}", report.findings);
    assert_eq!((report.receipts, report.audit_rows), (12, 12));

    // The same as lines, with the audit beside it.
    let texts: Vec<String> = whole.receipts.iter().map(|(_, text)| text.clone()).collect();
    let file = folder.path().join("receipts.jsonl");
    fs::write(&file, lines(&texts)).unwrap();
    let audit = folder.path().join("audit.jsonl");
    let report = verify_path(&file, Some(&audit), options(&key, Some(&whole.head))).unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);

    // A receipt under another's name, a name that is none, bytes that are no text.
    let (first, _) = &whole.receipts[0];
    fs::rename(folder.path().join(first), folder.path().join("1-run-9.json")).unwrap();
    assert_eq!(kinds(&check()), ["1-run-9.json file-name"]);
    fs::rename(folder.path().join("1-run-9.json"), folder.path().join(first)).unwrap();
    fs::write(folder.path().join("latest.json"), "{}").unwrap();
    assert_eq!(kinds(&check()), ["latest.json unreadable"]);
    fs::write(folder.path().join("latest.json"), [0xff]).unwrap();
    fs::rename(folder.path().join("latest.json"), folder.path().join("13-x.json")).unwrap();
    assert_eq!(kinds(&check()), ["13-x.json unreadable"]);
    fs::remove_file(folder.path().join("13-x.json")).unwrap();

    // No audit file: its rows are not proved. No folder: an error that names it.
    fs::remove_file(&audit).unwrap();
    let report = check();
    assert!(report.is_sound() && report.not_proved.join("\n").contains("12 audit rows"));
    let error = verify_path(&folder.path().join("nowhere"), None, Options::default()).unwrap_err();
    assert!(error.to_string().contains("nowhere"));
}

#[test]
fn every_flipped_byte_of_the_files_is_found() {
    let key = SigningKey::generate().unwrap();
    let whole = proof(&[2], Some(&key));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &whole);
    for name in [whole.receipts[0].0.as_str(), "audit.jsonl"] {
        let path = folder.path().join(name);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            for mask in [1_u8 << (at % 8), 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                fs::write(&path, &flipped).unwrap();
                let report = verify_path(folder.path(), None, options(&key, None)).unwrap();
                assert!(!report.is_sound(), "{name} byte {at} mask {mask}");
            }
        }
        // Cut at every byte; only the last line's end may go, which says nothing.
        for length in 0..bytes.len() - 1 {
            fs::write(&path, &bytes[..length]).unwrap();
            let report = verify_path(folder.path(), None, options(&key, None)).unwrap();
            assert!(!report.is_sound(), "{name} cut to {length}");
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(
        verify_path(folder.path(), None, options(&key, None))
            .unwrap()
            .is_sound()
    );
}

#[test]
fn payloads_that_are_no_receipt_of_this_format_are_told() {
    use base64::Engine as _;
    let envelope = |payload: &str, payload_type: &str| {
        let payload = base64::engine::general_purpose::STANDARD.encode(payload);
        Envelope::parse(&format!(
            r#"{{"payloadType":"{payload_type}","payload":"{payload}","signatures":[]}}"#
        ))
    };
    let ours = "application/vnd.retention-receipt+json";
    assert!(matches!(
        envelope("{}", "text/plain"),
        Err(EnvelopeError::PayloadType { .. })
    ));
    let error = envelope(r#"{"format":2,"new":true}"#, ours)
        .unwrap()
        .receipt()
        .unwrap_err();
    assert!(matches!(error, EnvelopeError::Format { found: 2 }), "{error}");
    for payload in ["", "{}", "[]", r#"{"format":1}"#] {
        let error = envelope(payload, ours).unwrap().receipt().unwrap_err();
        assert!(matches!(error, EnvelopeError::Payload(_)), "{payload}: {error}");
    }
}

#[test]
fn findings_are_counted_beyond_those_that_are_listed() {
    let mut verifier = Verifier::new(Options::default());
    for number in 0..Report::MOST_FINDINGS + 7 {
        verifier.receipt(&number.to_string(), "nonsense", None);
    }
    let report = verifier.finish();
    assert_eq!(
        (report.findings.len(), report.more_findings),
        (Report::MOST_FINDINGS, 7)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn with_a_head_whatever_is_done_to_receipts_is_found(
        count in 1_usize..8, what in 0..4, one in any::<prop::sample::Index>(), two in any::<prop::sample::Index>(),
    ) {
        let key = SigningKey::generate().unwrap();
        let whole = proof(&vec![1; count], Some(&key));
        let mut changed = whole.clone();
        let (one, two) = (one.index(count), two.index(count));
        match what {
            0 => { changed.receipts.remove(one); }
            1 => changed.receipts.swap(one, two),
            2 => changed.receipts.insert(two, whole.receipts[one].clone()),
            _ => changed.receipts.truncate(one),
        }
        let report = verify(&changed, options(&key, Some(&whole.head)));
        prop_assert_eq!(report.is_sound(), changed.receipts == whole.receipts, "{:?}", report.findings);
    }
}
