//! Audit chains: any change of any field, and any drop, swap, repetition or cut, is found, and the row is named.

use jiff::{Timestamp, ToSpan as _};
use proptest::prelude::*;
use retention_proof::{AuditLine, AuditRow, AuditSummary, ChainError, ChainHash, verify_chain};

use crate::support::{rows, summary};

fn time() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_000_000_i64..253_402_207_200_000_000)
        .prop_map(|micros| Timestamp::from_microsecond(micros).unwrap())
}

prop_compose! {
    fn any_row()(
        run_id in "[a-f0-9-]{1,36}",
        seq in 1..u64::MAX,
        names in proptest::array::uniform5(".{0,20}"),
        rows in any::<u64>(),
        cascaded in any::<u64>(),
        cutoff in proptest::option::of(time()),
        times in (time(), time()),
        position in proptest::option::of(".{0,10}"),
    ) -> AuditRow {
        let [rule, table_name, action, policy_digest, strategy] = names;
        AuditRow {
            run_id, seq, rule, table_name, action, rows, cascaded, cutoff,
            started_at: times.0, finished_at: times.1,
            policy_digest, strategy, position,
        }
    }
}

/// The row with its field number `field` changed, by at least one step.
fn changed(row: &AuditRow, field: usize) -> AuditRow {
    let mut row = row.clone();
    let longer = |text: &mut String| text.push('x');
    let later = |at: &mut Timestamp| *at = at.checked_add(1.microsecond()).unwrap();
    match field {
        0 => longer(&mut row.run_id),
        1 => row.seq = row.seq.wrapping_add(1),
        2 => longer(&mut row.rule),
        3 => longer(&mut row.table_name),
        4 => longer(&mut row.action),
        5 => row.rows = row.rows.wrapping_sub(1),
        6 => row.cascaded = row.cascaded.wrapping_add(1),
        7 => match &mut row.cutoff {
            Some(cutoff) => later(cutoff),
            None => row.cutoff = Some(Timestamp::UNIX_EPOCH),
        },
        8 => later(&mut row.started_at),
        9 => later(&mut row.finished_at),
        10 => longer(&mut row.policy_digest),
        11 => longer(&mut row.strategy),
        12 => match &mut row.position {
            Some(position) => longer(position),
            None => row.position = Some(String::new()),
        },
        // Text moves from one field into the next.
        13 => {
            row.table_name = format!("{}{}", row.rule, row.table_name);
            row.rule = String::new();
        }
        _ => unreachable!(),
    }
    row
}

proptest! {
    #[test]
    fn any_change_of_any_field_changes_the_link(row in any_row(), start in any::<[u8; 32]>(), field in 0_usize..14) {
        let other = changed(&row, field);
        prop_assume!(other != row);
        prop_assert_ne!(row.link(ChainHash(start)), other.link(ChainHash(start)));
    }

    #[test]
    fn another_link_before_changes_the_link(row in any_row(), start in any::<[u8; 32]>(), at in 0_usize..32, bit in 0_u8..8) {
        let mut other = start;
        other[at] ^= 1 << bit;
        prop_assert_ne!(row.link(ChainHash(start)), row.link(ChainHash(other)));
    }

    #[test]
    fn rows_travel_as_lines(row in any_row(), link in any::<[u8; 32]>()) {
        let line = AuditLine { row, link: ChainHash(link) };
        let text = line.to_line();
        prop_assert_eq!(text.matches('\n').count(), 1);
        prop_assert_eq!(AuditLine::parse(text.trim_end_matches('\n')).unwrap(), line);
    }

    #[test]
    fn whatever_is_done_to_a_chain_is_found_at_its_first_row(
        count in 1_u64..30, what in 0..5, one in any::<prop::sample::Index>(), two in any::<prop::sample::Index>(), field in 0_usize..13,
    ) {
        let whole = rows("run", count);
        let receipt = summary("run", &whole);
        prop_assert_eq!(verify_chain("run", &whole, &receipt), Ok(()));
        let (one, two) = (one.index(whole.len()), two.index(whole.len()));
        let mut lines = whole.clone();
        match what {
            0 => { lines.remove(one); }
            1 => lines.swap(one, two),
            2 => lines.insert(two, whole[one].clone()),
            3 => lines.truncate(one),
            _ => lines[one].row = changed(&lines[one].row, field),
        }
        prop_assume!(lines != whole);
        let first = (0..).zip(&lines).find(|(at, line)| whole.get(*at) != Some(*line)).map_or(lines.len(), |(at, _)| at);
        let error = verify_chain("run", &lines, &receipt).unwrap_err();
        prop_assert_eq!(error.seq(), u64::try_from(first).unwrap() + 1, "{}", error);
    }

    #[test]
    fn a_chain_that_was_computed_anew_is_not_the_receipts(count in 1_u64..20, which in any::<prop::sample::Index>(), field in 2_usize..13) {
        let whole = rows("run", count);
        let receipt = summary("run", &whole);
        let at = which.index(whole.len());
        let mut link = ChainHash::start("run");
        let forged: Vec<AuditLine> = (0..).zip(&whole).map(|(index, line)| {
            let row = if index == at { changed(&line.row, field) } else { line.row.clone() };
            link = row.link(link);
            AuditLine { row, link }
        }).collect();
        let error = verify_chain("run", &forged, &receipt).unwrap_err();
        let told = matches!(error, ChainError::Head { .. });
        prop_assert!(told, "{}", error);
    }
}

#[test]
fn every_flipped_bit_of_every_line_is_found() {
    let whole = rows("run", 4);
    let receipt = summary("run", &whole);
    let texts: Vec<String> = whole.iter().map(|line| line.to_line().trim_end().to_owned()).collect();
    for (which, text) in texts.iter().enumerate() {
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                // Bytes that are no text, or no line as we write them, are found already.
                let Ok(flipped) = String::from_utf8(bytes) else {
                    continue;
                };
                let Ok(line) = AuditLine::parse(&flipped) else { continue };
                let mut lines = whole.clone();
                lines[which] = line;
                let error = verify_chain("run", &lines, &receipt).unwrap_err();
                assert_eq!(error.seq(), which as u64 + 1, "byte {at} bit {bit}: {flipped}");
            }
        }
    }
}

#[test]
fn a_run_without_rows_has_a_chain_too() {
    let nothing = AuditSummary::empty("run");
    assert_eq!(verify_chain("run", &[], &nothing), Ok(()));
    let one = rows("run", 1);
    assert!(matches!(
        verify_chain("run", &one, &nothing),
        Err(ChainError::Extra { seq: 1, expected: 0 })
    ));
    assert!(matches!(
        verify_chain("other", &one, &summary("run", &one)),
        Err(ChainError::OtherRun { seq: 1, .. })
    ));
}

#[test]
fn a_line_in_another_spelling_is_not_taken() {
    let text = rows("run", 1).remove(0).to_line();
    let text = text.trim_end();
    for other in [
        text.replace(':', ": "),
        text.replace("T00", " 00"),
        text.replace("run", "\\u0072un"),
        text.replace("\"rows\":1001", "\"rows\":1001.0"),
        text.replace(".000001Z", ".000001000Z"),
        text.replace(".000001Z", ".000001001Z"),
        text.replace("\"seq\":1", "\"seq\":1,\"seq\":1"),
        text.replace("\"seq\":1", "\"seq\":1,\"more\":1"),
        format!("{text} "),
        String::new(),
    ] {
        assert_ne!(other, text);
        assert!(AuditLine::parse(&other).is_err(), "{other}");
    }
}
