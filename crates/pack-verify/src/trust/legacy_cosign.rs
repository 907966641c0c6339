//! cosign 2.x's older bundle, turned into a Sigstore 0.1 bundle in memory.
//!
//! Format (written by `cosign sign-blob --bundle` without `--new-bundle-format`):
//! `{"base64Signature", "cert", "rekorBundle": {"SignedEntryTimestamp", "Payload": {body, integratedTime, logIndex,
//! logID}}}`. `cert` is base64 of PEM: the certificate (keyless), or empty or a public key (key). Its log evidence is
//! the signed entry timestamp, which is what Sigstore 0.1 calls an inclusion promise, so nothing is lost or invented.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use sigstore_types::bundle::{CertificateContent, LogId};
use sigstore_types::{
    Bundle, CanonicalizedBody, DerCertificate, DerPublicKey, InclusionPromise, KindVersion, LogIndex, LogKeyId,
    MediaType, MessageSignature, PublicKeyIdentifier, SignatureBytes, SignatureContent, SignedTimestamp,
    TransparencyLogEntry, VerificationMaterial, VerificationMaterialContent,
};

use super::bundle::{Parsed, malformed, unsupported};
use super::report::BundleFormat;
use crate::refusal::Refusal;

#[derive(Deserialize)]
struct Older {
    #[serde(rename = "base64Signature")]
    signature: String,
    #[serde(default)]
    cert: Option<String>,
    #[serde(rename = "rekorBundle", default)]
    rekor: Option<RekorBundle>,
}

#[derive(Deserialize)]
struct RekorBundle {
    #[serde(rename = "SignedEntryTimestamp")]
    signed_entry_timestamp: String,
    #[serde(rename = "Payload")]
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    body: String,
    #[serde(rename = "integratedTime")]
    integrated_time: i64,
    #[serde(rename = "logIndex")]
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

pub(super) fn read(text: &str) -> Result<Parsed, Refusal> {
    let older: Older = serde_json::from_str(text).map_err(malformed)?;
    let signature = SignatureBytes::new(decode("base64Signature", &older.signature)?);
    let (content, carried_key) = material(older.cert.as_deref().unwrap_or_default())?;
    let entries = older.rekor.map(entry).transpose()?.into_iter().collect();
    let bundle = Bundle::new(
        MediaType::Bundle0_1,
        VerificationMaterial::new(content).with_tlog_entries(entries),
        SignatureContent::MessageSignature(MessageSignature::new(signature)),
    );
    Ok(Parsed {
        bundle,
        format: BundleFormat::CosignLegacy,
        carried_key,
    })
}

fn material(cert: &str) -> Result<(VerificationMaterialContent, Option<DerPublicKey>), Refusal> {
    let unnamed = || VerificationMaterialContent::PublicKey(PublicKeyIdentifier::new(""));
    if cert.is_empty() {
        return Ok((unnamed(), None));
    }
    let pem = decode("cert", cert)?;
    let pem = std::str::from_utf8(&pem).map_err(|_| malformed("its cert is not PEM: it is not UTF-8"))?;
    match DerCertificate::from_pem(pem) {
        Ok(certificate) => Ok((
            VerificationMaterialContent::Certificate(CertificateContent::new(certificate)),
            None,
        )),
        Err(error) => match DerPublicKey::from_pem(pem) {
            Ok(key) => Ok((unnamed(), Some(key))),
            Err(_) => Err(malformed(format!(
                "its cert is neither a certificate nor a public key: {error}"
            ))),
        },
    }
}

fn entry(rekor: RekorBundle) -> Result<TransparencyLogEntry, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind {
        kind: String,
        api_version: String,
    }
    let Payload {
        body,
        integrated_time,
        log_index,
        log_id,
    } = rekor.payload;
    let body = decode("rekorBundle body", &body)?;
    let kind: Kind =
        serde_json::from_slice(&body).map_err(|error| malformed(format!("its rekorBundle body: {error}")))?;
    if (kind.kind.as_str(), kind.api_version.as_str()) != ("hashedrekord", "0.0.1") {
        return Err(unsupported(format!(
            "expected a log entry of kind hashedrekord 0.0.1 (what sign-blob logs), found {} {}",
            kind.kind, kind.api_version
        )));
    }
    let log_id = hex::decode(&log_id).map_err(|error| malformed(format!("its logID is not hex: {error}")))?;
    let time = Timestamp::from_second(integrated_time)
        .map_err(|error| malformed(format!("its integratedTime {integrated_time}: {error}")))?;
    Ok(TransparencyLogEntry::new(
        LogIndex::new(log_index).map_err(malformed)?,
        LogId::new(LogKeyId::new(log_id)),
        KindVersion::HashedRekordV001,
        CanonicalizedBody::new(body),
    )
    .with_integrated_time(time)
    .with_inclusion_promise(InclusionPromise::new(SignedTimestamp::new(decode(
        "SignedEntryTimestamp",
        &rekor.signed_entry_timestamp,
    )?))))
}

fn decode(what: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD
        .decode(text.trim_end())
        .map_err(|error| malformed(format!("its {what} is not base64: {error}")))
}
