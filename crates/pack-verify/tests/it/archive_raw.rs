//! Writes archives by hand, so that they can be as wrong as a test needs.

use bytes::Bytes;
use pack_verify::limits::Limits;
use pack_verify::unpack::UnpackedPack;
use pack_verify::{PackBytes, Refusal, Verifier};
use tar::Header;

pub(crate) const POLICY: &[u8] = b"package cos.abac\n\ndefault allow = false\n";

/// An archive under construction. `finish` adds the end mark.
#[derive(Clone, Default)]
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl Raw {
    /// Starts with one good policy, so that only what a test adds can be the reason of a refusal.
    pub(crate) fn with_policy() -> Self {
        Self::default().file("./opa/cos.abac.rego", POLICY)
    }

    pub(crate) fn file(self, name: &str, body: &[u8]) -> Self {
        self.entry(name.as_bytes(), b'0', body)
    }

    pub(crate) fn entry(self, name: &[u8], kind: u8, body: &[u8]) -> Self {
        self.with(name, kind, body, |_| {})
    }

    /// One header, changed by `edit` before the checksum is made, and its body.
    pub(crate) fn with(mut self, name: &[u8], kind: u8, body: &[u8], edit: impl FnOnce(&mut Header)) -> Self {
        let mut header = Header::new_ustar();
        let end = name.len().min(100);
        header.as_mut_bytes()[..end].copy_from_slice(&name[..end]);
        header.as_mut_bytes()[156] = kind;
        header.set_mode(0o644);
        header.set_size(body.len() as u64);
        edit(&mut header);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.body(body)
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.0.extend_from_slice(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// A PAX header with these records: `x` for the next file, `g` for all.
    pub(crate) fn pax(self, kind: u8, records: &[(&str, &str)]) -> Self {
        let body: String = records.iter().map(|(key, value)| record(key, value)).collect();
        self.entry(b"./PaxHeaders/x", kind, body.as_bytes())
    }

    /// GNU's long name header.
    pub(crate) fn long_name(self, name: &[u8]) -> Self {
        let body = [name, b"\0"].concat();
        self.with(b"././@LongLink", b'L', &body, |header| {
            header.as_mut_bytes()[257..265].copy_from_slice(b"ustar  \0");
        })
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// One PAX record with the right length, which counts its own digits.
pub(crate) fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let length = (1..8)
        .map(|digits| digits + rest.len())
        .find(|n| n.to_string().len() + rest.len() == *n);
    format!("{}{rest}", length.unwrap())
}

/// As small as it gets: how far `fast` goes differs with the backend that flate2 is built with,
/// and a bomb has to be one with each of them.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn unpack(bytes: impl Into<Bytes>) -> Result<UnpackedPack, Refusal> {
    unpack_within(bytes, &Limits::default())
}

pub(crate) fn unpack_within(bytes: impl Into<Bytes>, limits: &Limits) -> Result<UnpackedPack, Refusal> {
    Verifier::insecure_digest_only()
        .verify(PackBytes::new(bytes.into()), None)?
        .unpack(limits)
}

/// Path and content of everything that decides, and path and size of the rest.
pub(crate) fn listing(pack: &UnpackedPack) -> Vec<(String, Vec<u8>)> {
    let policies = pack
        .policies()
        .iter()
        .map(|file| (file.path.clone(), file.text.to_vec()));
    let data = pack.data().iter().map(|file| (file.path.clone(), file.json.to_vec()));
    let others = pack.others().iter().map(|file| (file.path.clone(), vec![0; file.size]));
    policies.chain(data).chain(others).collect()
}
