//! What `pack sign` writes, cosign verifies: 3.1.3 in both formats, 2.2.4 in the older one, which is the only one it knows.

use std::path::Path;

use crate::bench::{Bench, both, succeeds};
use crate::{Format, Release};

pub(crate) fn check(cosign: &Path, release: Release, format: Format, kind: &str) {
    let bench = Bench::new();
    succeeds(&bench.reloader(["pack", "keygen", "signer", "--kind", kind]));
    succeeds(&bench.reloader([
        "pack",
        "sign",
        "pack.tar",
        "--signing-key",
        "signer.key",
        "--format",
        format.option(),
        "-o",
        "bundle.json",
    ]));
    let verify = |pack: &str, key: &str| {
        let base = [
            "verify-blob",
            "--insecure-ignore-tlog",
            "--bundle",
            "bundle.json",
            "--key",
            key,
        ];
        let more: &[&str] = match (release, format) {
            (Release::V3, Format::Older) => &["--new-bundle-format=false"],
            _ => &[],
        };
        bench.cosign(cosign, base.iter().chain(more).chain(&[pack]))
    };
    let verified = verify("pack.tar", "signer.pub");
    if (release, format) == (Release::V2, Format::Sigstore) {
        assert!(
            !verified.status.success(),
            "cosign 2.2.4 has learned the newer format; say so in `pack sign --help`: {}",
            both(&verified)
        );
        return;
    }
    assert!(succeeds(&verified).contains("Verified OK"), "{}", both(&verified));
    succeeds(&bench.reloader(["pack", "keygen", "stranger", "--kind", kind]));
    for (pack, key) in [("flipped.tar", "signer.pub"), ("pack.tar", "stranger.pub")] {
        let refused = verify(pack, key);
        assert!(!refused.status.success(), "{pack} with {key}: {}", both(&refused));
    }
}
