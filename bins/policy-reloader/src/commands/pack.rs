//! Owns `pack build`, `pack sign` and `pack keygen`.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use pack_verify::{
    Sha256Digest,
    build::build_tar,
    sign::{KeyKind, Signer},
};
use runtime::exit::{Exit, Failure, ResultExt as _};
use serde::Serialize;

use super::{print, read, write};
use crate::args::{BundleFormat, KeyChoice, PackCommand};

#[derive(Serialize)]
struct Written {
    path: PathBuf,
    digest: Sha256Digest,
    size: usize,
}

/// Does one of the three.
pub(crate) fn pack(command: PackCommand) -> Result<Exit, Failure> {
    match command {
        PackCommand::Build { folder, out, output } => {
            let tar = build_tar(files(&folder)?).exit(Exit::Usage)?;
            write(&out, &tar)?;
            let written = Written {
                digest: Sha256Digest::of(&tar),
                size: tar.len(),
                path: out,
            };
            print(output, &written, |written| {
                format!("{}: {} bytes, {}", written.path.display(), written.size, written.digest)
            })?;
        }
        PackCommand::Sign {
            pack,
            signing_key,
            out,
            format,
            output,
        } => {
            let pem = String::from_utf8_lossy(&read(&signing_key)?).into_owned();
            let signer = Signer::from_pem(&pem)
                .with_context(|| {
                    format!(
                        "the private key {} (--signing-key) cannot be used",
                        signing_key.display()
                    )
                })
                .exit(Exit::Usage)?;
            let bytes = read(&pack)?;
            let bundle = match format {
                BundleFormat::Sigstore => signer.sign(&bytes),
                BundleFormat::Cosign2 => signer.sign_legacy(&bytes),
            }
            .exit(Exit::Usage)?;
            let out = out.unwrap_or_else(|| {
                let mut name = pack.clone().into_os_string();
                name.push(".sigstore.json");
                name.into()
            });
            write(&out, bundle.as_bytes())?;
            let written = Written {
                digest: Sha256Digest::of(&bytes),
                size: bundle.len(),
                path: out,
            };
            print(output, &written, |written| {
                format!("{}: signature over {}", written.path.display(), written.digest)
            })?;
        }
        PackCommand::Keygen { prefix, kind, output } => {
            let signer = Signer::generate(match kind {
                KeyChoice::EcdsaP256 => KeyKind::EcdsaP256,
                KeyChoice::Ed25519 => KeyKind::Ed25519,
            })
            .exit(Exit::Dependency)?;
            let (secret, public) = (with_extension(&prefix, "key"), with_extension(&prefix, "pub"));
            write_secret(&secret, signer.private_key_pem().exit(Exit::Dependency)?.as_bytes())?;
            let pem = signer.public_key_pem();
            write(&public, pem.as_bytes())?;
            let written = Written {
                digest: signer.fingerprint(),
                size: pem.len(),
                path: public,
            };
            print(output, &written, |written| {
                format!(
                    "{} is the secret key: keep it out of repositories\n{} is the public key, fingerprint {}",
                    secret.display(),
                    written.path.display(),
                    written.digest
                )
            })?;
        }
    }
    Ok(Exit::Done)
}

fn with_extension(prefix: &Path, extension: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// A secret key is never written over, and only its owner can read it.
fn write_secret(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .with_context(|| format!("cannot write {} (an existing key is never overwritten)", path.display()))
        .exit(Exit::Usage)
}

/// All files below `folder`, with their paths in the pack. Links are refused: their target is not part of the folder.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let entries = fs::read_dir(&current)
            .with_context(|| format!("cannot read the folder {}", current.display()))
            .exit(Exit::Usage)?;
        for entry in entries {
            let entry = entry
                .with_context(|| format!("reading {}", current.display()))
                .exit(Exit::Usage)?;
            let path = entry.path();
            let kind = entry
                .file_type()
                .with_context(|| format!("reading {}", path.display()))
                .exit(Exit::Usage)?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let name = path
                    .strip_prefix(folder)
                    .ok()
                    .and_then(Path::to_str)
                    .ok_or_else(|| Failure::usage(format!("the file name {} is not UTF-8", path.display())))?;
                found.push((name.replace(std::path::MAIN_SEPARATOR, "/"), read(&path)?));
            } else {
                return Err(Failure::usage(format!(
                    "{} is neither a file nor a folder; a pack holds only those",
                    path.display()
                )));
            }
        }
    }
    Ok(found)
}
