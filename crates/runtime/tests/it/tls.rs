//! Trust and client certificates, by real handshakes.

use crate::child::{self, Mode};
use crate::pki::{Authority, Pair};
use rcgen::ExtendedKeyUsagePurpose;
use runtime::http::{HttpConfigError, HttpOptions, client};
use std::path::Path;

fn options() -> HttpOptions {
    HttpOptions {
        no_proxy: true,
        ..HttpOptions::new("tool/1.2.3")
    }
}

fn with_identity(dir: &Path, ca_file: &Path, pair: &Pair) -> HttpOptions {
    let (cert, key) = (dir.join("client.pem"), dir.join("client.key"));
    std::fs::write(&cert, &pair.cert_pem).unwrap();
    std::fs::write(&key, &pair.key_pem).unwrap();
    HttpOptions {
        ca_file: Some(ca_file.to_owned()),
        client_cert: Some(cert),
        client_key: Some(key),
        ..options()
    }
}

#[tokio::test]
async fn an_authority_is_trusted_only_when_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let url = format!("https://{}/", authority.serve(None).await);

    let error = client(&options()).unwrap().get(&url).send().await.unwrap_err();
    assert!(format!("{:#}", anyhow::Error::new(error)).contains("UnknownIssuer"));

    // A file with several, and with text between them as `openssl` writes it.
    let path = dir.path().join("ca.pem");
    std::fs::write(
        &path,
        format!("other\n{}\nours\n{}", Authority::new().pem(), authority.pem()),
    )
    .unwrap();
    let trusting = client(&HttpOptions {
        ca_file: Some(path),
        ..options()
    })
    .unwrap();
    assert_eq!(trusting.get(&url).send().await.unwrap().status(), 200);
    let by_name = url.replace("127.0.0.1", "localhost");
    assert_eq!(trusting.get(by_name).send().await.unwrap().status(), 200);
    let other_name = url.replace("127.0.0.1", "127.0.0.2");
    assert!(
        trusting.get(other_name).send().await.is_err(),
        "the name in the certificate is checked"
    );
}

#[tokio::test]
async fn a_client_certificate_opens_the_door() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let clients = Authority::new();
    let ca_file = authority.write(&dir.path().join("ca.pem"));
    let url = format!("https://{}/", authority.serve(Some(&clients)).await);

    let without = client(&HttpOptions {
        ca_file: Some(ca_file.clone()),
        ..options()
    })
    .unwrap();
    assert!(without.get(&url).send().await.is_err());

    let known = with_identity(
        dir.path(),
        &ca_file,
        &clients.issue(ExtendedKeyUsagePurpose::ClientAuth),
    );
    assert_eq!(client(&known).unwrap().get(&url).send().await.unwrap().status(), 200);

    // One file with both is fine.
    let both = dir.path().join("both.pem");
    let pair = clients.issue(ExtendedKeyUsagePurpose::ClientAuth);
    std::fs::write(&both, format!("{}{}", pair.cert_pem, pair.key_pem)).unwrap();
    let one_file = HttpOptions {
        client_cert: Some(both.clone()),
        client_key: Some(both),
        ..known
    };
    assert_eq!(client(&one_file).unwrap().get(&url).send().await.unwrap().status(), 200);

    let foreign = with_identity(
        dir.path(),
        &ca_file,
        &Authority::new().issue(ExtendedKeyUsagePurpose::ClientAuth),
    );
    assert!(client(&foreign).unwrap().get(&url).send().await.is_err());
}

#[test]
fn a_key_of_another_certificate_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ca_file = authority.write(&dir.path().join("ca.pem"));
    let mut pair = authority.issue(ExtendedKeyUsagePurpose::ClientAuth);
    pair.key_pem = authority.issue(ExtendedKeyUsagePurpose::ClientAuth).key_pem;
    let error = client(&with_identity(dir.path(), &ca_file, &pair)).unwrap_err();
    assert!(matches!(error, HttpConfigError::IdentityMismatch { .. }), "{error:?}");
}

/// The machine's store is set by a variable, so each case is a process of its own.
#[tokio::test]
async fn the_ca_file_adds_to_the_machines_roots() {
    let dir = tempfile::tempdir().unwrap();
    let (system, own) = (Authority::new(), Authority::new());
    let store = system.write(&dir.path().join("store.pem"));
    let ca_file = own.write(&dir.path().join("ca.pem"));
    let urls = format!(
        "https://{}/ https://{}/",
        system.serve(None).await,
        own.serve(None).await
    );

    let output = child::run(
        Mode::Fetch,
        &[
            ("SSL_CERT_FILE", store.as_os_str()),
            ("TEST_CA_FILE", ca_file.as_os_str()),
            ("TEST_URLS", urls.as_ref()),
        ],
    )
    .await;
    assert_eq!(output.lines(), ["200", "200"], "{output:?}");

    let output = child::run(
        Mode::Fetch,
        &[("SSL_CERT_FILE", store.as_os_str()), ("TEST_URLS", urls.as_ref())],
    )
    .await;
    assert_eq!(output.lines(), ["200", "failed"], "{output:?}");

    // A store that was chosen and is not there must not be replaced by another.
    let gone = dir.path().join("gone.pem");
    let output = child::run(
        Mode::Fetch,
        &[("SSL_CERT_FILE", gone.as_os_str()), ("TEST_URLS", urls.as_ref())],
    )
    .await;
    assert_eq!(output.lines().len(), 1, "{output:?}");
    assert!(
        output.lines()[0].starts_with("no client: SSL_CERT_FILE is set, but no certificate"),
        "{output:?}"
    );
}
