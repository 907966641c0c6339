//! The promise of the streaming check, measured: a pack of 30 MiB with 1,000,000 entries in one object.

use bytes::Bytes;
use jiff::Timestamp;
use pack_verify::admit::Admission;

use crate::archive_raw::{Raw, unpack};

const CHILD: &str = "PACK_VERIFY_MEASURE";
const ENTRIES: usize = 1_000_000;
const MIB: usize = 1 << 20;

/// Peak memory belongs to a process, and other tests run in this one: the measured part runs in a process of its own,
/// which is this test again.
#[test]
fn a_million_entries_stay_within_three_times_the_pack() {
    if std::env::var_os(CHILD).is_some() {
        measure();
        return;
    }
    let name = "json_memory::a_million_entries_stay_within_three_times_the_pack";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("MEASURED"), "the child measured nothing: {text}");
}

/// Tells its parent by printing, which is all that a test process has.
#[allow(clippy::print_stdout)]
fn measure() {
    let pack = pack();
    let length = pack.len();
    assert!(length > 30 * MIB, "the pack has {length} bytes");
    // Building it needed more than it has; the peak counts from here.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak();
    let verified = unpack(pack)
        .unwrap()
        .admit(&Admission::at(Timestamp::UNIX_EPOCH))
        .unwrap();
    let after = peak();
    println!(
        "MEASURED pack {length}, before {before}, peak {after}, extra {}",
        after.saturating_sub(before)
    );
    assert_eq!(verified.data()[0].shape.keys, ENTRIES as u64);
    assert!(
        after.saturating_sub(before) < 24 * MIB,
        "needed {} bytes more than before",
        after - before
    );
    assert!(after < 3 * length, "a peak of {after} bytes for {length}");
}

fn pack() -> Bytes {
    use std::fmt::Write as _;
    let mut json = String::with_capacity(32 * MIB);
    json.push('{');
    for index in 0..ENTRIES {
        let comma = if index > 0 { "," } else { "" };
        write!(json, "{comma}\"tenant-{index:07}\":\"{index:012}\"").unwrap();
    }
    json.push('}');
    Bytes::from(Raw::with_policy().file("data/tenants.json", json.as_bytes()).finish())
}

fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() * 1024
}
