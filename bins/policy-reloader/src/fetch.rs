//! Owns fetching: MC's answer, hashed as it arrives, together with the signature bundle that belongs to it.

use bytes::Bytes;
use mc_client::{Attestation, McError, PackClient, PackHeaders, PackReply, Pairing, Validators, pairing};
use pack_verify::{DigestHeaders, HashingBuffer, PackBytes, Refusal, TooLarge, digest::announced};

/// A pack as MC gave it, its bytes known to match the digest that MC announced.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The bytes and their digest.
    pub pack: PackBytes,
    /// The signature bundle, when MC had one.
    pub bundle: Option<Bytes>,
    /// What to send with the next conditional request.
    pub validators: Validators,
    /// Whether MC announced a digest at all; without one only the signature speaks for the bytes.
    pub digest_announced: bool,
    /// MC says that the signature is for another pack: it published between the two requests, or is broken. Fetch both
    /// again, once; if that does not help, the signature decides.
    pub raced: bool,
}

/// MC's answer to a poll.
#[derive(Debug)]
pub enum Fetched {
    /// 304: what we know is current.
    Unchanged,
    /// A pack.
    Candidate(Box<Candidate>),
}

/// Why there is no candidate.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// MC could not be asked, or said no.
    #[error(transparent)]
    Mc(#[from] McError),
    /// The bytes are not acceptable whatever their signature says.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Fetches the pack unless MC says it is the one described by `known`, and the signature that MC has for it.
pub async fn fetch(client: &PackClient, known: &Validators, limit: usize, signed: bool) -> Result<Fetched, FetchError> {
    let Some((pack, headers, digest_announced)) = read(client, known, limit).await? else {
        return Ok(Fetched::Unchanged);
    };
    let (bundle, raced) = match (signed, &headers.inline_bundle) {
        (false, _) => (None, false),
        (true, Some(inline)) => (Some(inline.clone()), false),
        (true, None) => match attestation(client).await? {
            Some(attestation) => {
                let raced = pairing(&headers, &attestation) == Pairing::Raced;
                (Some(attestation.body), raced)
            }
            None => (None, false),
        },
    };
    Ok(Fetched::Candidate(Box::new(Candidate {
        pack,
        bundle,
        validators: headers.validators(),
        digest_announced,
        raced,
    })))
}

/// The attestation by itself: to see whether a refused pack has got a new signature.
pub async fn attestation(client: &PackClient) -> Result<Option<Attestation>, McError> {
    match client.attestation().await {
        Ok(attestation) => Ok(Some(attestation)),
        // 404 here, after a 200 for the pack, says that there is no attestation; the trust mode decides what follows.
        Err(McError::UnknownPack { .. } | McError::AttestationNotAvailable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read(
    client: &PackClient,
    known: &Validators,
    limit: usize,
) -> Result<Option<(PackBytes, PackHeaders, bool)>, FetchError> {
    let mut body = match client.pack(known).await? {
        PackReply::NotModified(_) => return Ok(None),
        PackReply::Pack(body) => body,
    };
    let headers = body.headers().clone();
    // Look at the headers first: what contradicts itself need not be downloaded.
    let stated = announced(&digest_headers(&headers)).map_err(Refusal::from)?;
    if headers.content_length.is_some_and(|length| length > limit as u64) {
        return Err(Refusal::from(TooLarge { limit }).into());
    }
    let mut buffer = HashingBuffer::with_expected(limit, headers.content_length);
    while let Some(chunk) = body.chunk().await? {
        buffer.push(&chunk).map_err(Refusal::from)?;
    }
    let pack = buffer.finish();
    pack.check_announced(stated.as_ref())?;
    Ok(Some((pack, headers, stated.is_some())))
}

fn digest_headers(headers: &PackHeaders) -> DigestHeaders<'_> {
    fn strs(values: &[String]) -> Vec<&str> {
        values.iter().map(String::as_str).collect()
    }
    DigestHeaders {
        digest: strs(&headers.digest),
        content_digest: strs(&headers.content_digest),
        repr_digest: strs(&headers.repr_digest),
        etag: headers.etag.as_deref(),
    }
}
