//! What must never decide: one bad pack after the other, each refused for a reason of its own.

use anyhow::{Context as _, Result, bail, ensure};
use mc_sim::{PACK_ID, Published, build_signed, samples};
use pack_verify::sign::{KeyKind, Signer};
use std::time::Instant;

use super::Embedded;
use crate::ledger::Promise;
use crate::stage::{Kept, Stage};
use crate::text::{plural, short_digests};

const TAMPERED: Promise = Promise {
    id: "tampered_refused",
    text: "A pack changed after signing is refused",
};
const FOREIGN: Promise = Promise {
    id: "foreign_key_refused",
    text: "A pack signed by somebody else is refused",
};
const OLDER: Promise = Promise {
    id: "older_refused",
    text: "An older revision is refused",
};
const BROKEN: Promise = Promise {
    id: "broken_rego_refused",
    text: "Rules that do not compile are refused",
};
const GOLDEN: Promise = Promise {
    id: "golden_refused",
    text: "A pack that fails its own examples is refused",
};
const EXPIRED: Promise = Promise {
    id: "expired_refused",
    text: "An expired pack is refused",
};
const UNCHANGED: Promise = Promise {
    id: "decision_unchanged",
    text: "Through all of it, no decision changed",
};

pub(super) const PROMISES: &[Promise] = &[TAMPERED, FOREIGN, OLDER, BROKEN, GOLDEN, EXPIRED, UNCHANGED];

/// One bad pack.
struct Bad {
    promise: Promise,
    /// What is published.
    told: &'static str,
    /// The reason that is right.
    reason: &'static str,
    pack: Published,
}

pub(super) async fn play(stage: &mut Stage, parts: &mut Embedded) -> Result<()> {
    stage.act(
        "What must never decide",
        "Six bad packs are published, one after the other. Each is refused for its own reason, and revision 2 goes on \
         deciding.",
        PROMISES,
    );
    let mark = parts.watcher.mark();
    for bad in bad_packs(&parts.mc)? {
        stage.tell.step(bad.told);
        let published = Instant::now();
        let digest = parts.sim.publish(PACK_ID, bad.pack);
        let refused = parts.reloader.until_refused(&digest.to_string()).await;
        let took = published.elapsed();
        let judged = match refused {
            Ok(refusal) => {
                stage.tell.aside(&short_digests(&refusal.message));
                expect_reason(&refusal.reason, bad.reason).map(|()| Kept::after(took, refusal.reason))
            }
            Err(error) => Err(error),
        };
        stage.judge(bad.promise, judged);
        stage.tell.gap();
    }
    let seen = parts.watcher.since(mark);
    let same = seen.expect(&[(false, 2)]);
    stage.judge(UNCHANGED, same.map(|()| Kept::noting(plural(seen.asked, "decision"))));
    Ok(())
}

pub(super) fn expect_reason(found: &str, expected: &str) -> Result<()> {
    ensure!(
        found == expected,
        "it was refused, but for another reason: expected {expected}, found {found}"
    );
    Ok(())
}

fn bad_packs(mc: &Signer) -> Result<Vec<Bad>> {
    let forger = Signer::generate(KeyKind::EcdsaP256).context("making a foreign key")?;
    Ok(vec![
        Bad {
            promise: TAMPERED,
            told: "On the way, one word of the signed pack is changed: `default allow := false` is now `true`.",
            reason: "signature_mismatch",
            pack: tampered(build_signed(samples::v1(3), mc)?)?,
        },
        Bad {
            promise: FOREIGN,
            told: "A whole new pack, signed correctly, but with another key than MC's.",
            reason: "wrong_key",
            pack: build_signed(samples::v1(3), &forger)?,
        },
        Bad {
            promise: OLDER,
            told: "Revision 1 again, signed by MC: an attacker who kept an old, laxer pack.",
            reason: "revision_lower",
            pack: build_signed(samples::v1(1), mc)?,
        },
        Bad {
            promise: BROKEN,
            told: "MC itself makes a mistake: a rule uses a name that does not exist.",
            reason: "rego_invalid",
            pack: build_signed(samples::broken_rego(3), mc)?,
        },
        Bad {
            promise: GOLDEN,
            told: "It compiles, but decides otherwise than the examples inside the pack say it must.",
            reason: "golden_failed",
            pack: build_signed(samples::wrong_golden(3), mc)?,
        },
        Bad {
            promise: EXPIRED,
            told: "A pack whose time is over.",
            reason: "expired",
            pack: build_signed(samples::expired(3), mc)?,
        },
    ])
}

/// The same length, so that the archive stays what it was in all other respects; the signature is the honest one.
fn tampered(honest: Published) -> Result<Published> {
    const FROM: &[u8] = b"default allow := false";
    const TO: &[u8] = b"default allow := true ";
    let mut tar = honest.tar.to_vec();
    let Some(at) = tar.windows(FROM.len()).position(|window| window == FROM) else {
        bail!("the sample pack has no rule to tamper with");
    };
    for (byte, new) in tar.iter_mut().skip(at).zip(TO) {
        *byte = *new;
    }
    Ok(Published {
        tar: tar.into(),
        ..honest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tampering_changes_one_word_and_no_length() {
        let mc = Signer::generate(KeyKind::Ed25519).unwrap();
        let honest = build_signed(samples::v1(3), &mc).unwrap();
        let forged = tampered(honest.clone()).unwrap();
        let changed = honest
            .tar
            .iter()
            .zip(&forged.tar)
            .filter(|(old, new)| old != new)
            .count();
        assert_eq!((forged.tar.len(), changed), (honest.tar.len(), 5));
        assert_eq!(forged.attestation, honest.attestation);
    }
}
