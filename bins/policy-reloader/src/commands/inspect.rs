//! Owns `inspect`: what is in a pack, without judging who signed it.

use std::fmt::Write as _;

use pack_verify::{Verifier, admit::Admission, limits::Limits, manifest::PackManifest};
use runtime::exit::{Exit, Failure, ResultExt as _};
use serde::Serialize;

use super::{print, read_capped};
use crate::{args::InspectArgs, setup};

#[derive(Serialize)]
struct Contents {
    digest: pack_verify::Sha256Digest,
    size: usize,
    signature: &'static str,
    manifest: Option<PackManifest>,
    policies: Vec<Policy>,
    data: Vec<Data>,
    others: Vec<String>,
}

#[derive(Serialize)]
struct Policy {
    path: String,
    package: String,
    size: usize,
}

#[derive(Serialize)]
struct Data {
    path: String,
    document: String,
    size: usize,
}

/// Unpacks by the same rules as `run`, and lists.
pub(crate) fn inspect(args: &InspectArgs) -> Result<Exit, Failure> {
    let limits = Limits {
        layout: setup::layout(&args.data_root)?,
        ..Limits::default()
    };
    let bytes = read_capped(&args.pack, limits.max_pack_bytes)?;
    let size = bytes.len();
    let pack = Verifier::insecure_digest_only()
        .verify(bytes, None)
        .and_then(|signed| signed.unpack(&limits))
        .and_then(|unpacked| {
            unpacked.admit(&Admission {
                // An expired pack can still be looked at.
                restoring: true,
                ..Admission::at(crate::clock())
            })
        })
        .exit(Exit::Negative)?;
    let contents = Contents {
        digest: pack.digest(),
        size,
        signature: "not checked; use `verify`",
        manifest: pack.manifest().cloned(),
        policies: pack
            .policies()
            .iter()
            .map(|file| Policy {
                path: file.path.clone(),
                package: file.package.join("."),
                size: file.text.len(),
            })
            .collect(),
        data: pack
            .data()
            .iter()
            .map(|file| Data {
                path: file.path.clone(),
                document: format!("data.{}", file.document.join(".")),
                size: file.json.len(),
            })
            .collect(),
        others: pack.others().iter().map(|file| file.path.clone()).collect(),
    };
    print(args.output, &contents, words)?;
    Ok(Exit::Done)
}

fn words(contents: &Contents) -> String {
    let mut text = format!(
        "pack       {} ({} bytes)\nsignature  {}\n",
        contents.digest, contents.size, contents.signature
    );
    // Writing into a String cannot fail.
    let _ = match &contents.manifest {
        None => writeln!(text, "pack.json  none: no id, revision or expiry"),
        Some(manifest) => writeln!(
            text,
            "pack.json  id {}, revision {}, created {}, expires {}, {} golden decisions",
            manifest.id.as_deref().unwrap_or("-"),
            shown(manifest.revision),
            shown(manifest.created),
            shown(manifest.expires),
            manifest.golden.len()
        ),
    };
    for policy in &contents.policies {
        let _ = writeln!(
            text,
            "policy     {:<36} package {} ({} bytes)",
            policy.path, policy.package, policy.size
        );
    }
    for data in &contents.data {
        let _ = writeln!(
            text,
            "data       {:<36} {} ({} bytes)",
            data.path, data.document, data.size
        );
    }
    for path in &contents.others {
        let _ = writeln!(text, "ignored    {path}");
    }
    text.trim_end().to_owned()
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
