//! Any bytes as a pack: no panic, and what comes out keeps to the limits and to safe names.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use pack_verify::{Limits, PackBytes, Verifier};

fuzz_target!(|bytes: &[u8]| {
    unpack(bytes.to_vec());
    // The fuzzer cannot guess checksums; with them repaired it gets behind the first header.
    let mut repaired = bytes.to_vec();
    if repair_checksums(&mut repaired) {
        unpack(repaired);
    }
});

fn unpack(pack: Vec<u8>) {
    let limits = Limits {
        max_unpacked_bytes: 1 << 20,
        max_entries: 64,
        ..Limits::default()
    };
    let signed = Verifier::insecure_digest_only().verify(PackBytes::new(Bytes::from(pack)), None);
    let Ok(unpacked) = signed.and_then(|signed| signed.unpack(&limits)) else {
        return;
    };
    let policies = unpacked.policies().iter().map(|file| (&file.path, file.text.len()));
    let data = unpacked.data().iter().map(|file| (&file.path, file.json.len()));
    let others = unpacked.others().iter().map(|file| (&file.path, file.size));
    let mut total = 0;
    for (path, size) in policies.chain(data).chain(others) {
        total += size;
        assert!(path.len() <= limits.max_path_bytes, "{path:?}");
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path:?}");
        assert!(!path.chars().any(|c| c.is_control() || c == '\\'), "{path:?}");
    }
    assert!(total <= limits.max_unpacked_bytes);
    assert!(!unpacked.policies().is_empty());
    for policy in unpacked.policies() {
        assert!(policy.package.first().is_some_and(|root| root != "system"));
        assert!(std::str::from_utf8(&policy.text).is_ok());
    }
    for file in unpacked.data() {
        assert!(serde_json::from_slice::<serde_json::Value>(&file.json).is_ok());
    }
}

/// Whether anything was repaired.
fn repair_checksums(pack: &mut [u8]) -> bool {
    let mut repaired = false;
    for block in pack.chunks_exact_mut(512) {
        if block.get(257..262) == Some(b"ustar") {
            let mut header = tar::Header::from_byte_slice(block).clone();
            header.set_cksum();
            repaired |= header.as_bytes() != block;
            block.copy_from_slice(header.as_bytes());
        }
    }
    repaired
}
