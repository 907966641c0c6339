//! TLS: the certificate is the right one, or the wrong one that was asked for.

use std::sync::Arc;

use pg_cluster::{Cluster, Keys, Major, Options, Tls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls_improved::MakeRustlsConnect;

const PASSWORD: &str = "geheim";

fn start(major: Major, tls: Tls) -> Cluster {
    let options = Options::default()
        .password(PASSWORD)
        .tls(tls)
        .hba("hostnossl all all all reject");
    Cluster::start(major, &options).unwrap()
}

/// Trusts the server's authority, and nobody else.
async fn connect(cluster: &Cluster, host: &str) -> Result<Client, tokio_postgres::Error> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(cluster.ca().unwrap()).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (client, connection) = Config::new()
        .host(host)
        .port(cluster.port())
        .user("postgres")
        .password(PASSWORD)
        .dbname("postgres")
        .ssl_mode(SslMode::Require)
        .channel_binding(ChannelBinding::Require)
        .connect(MakeRustlsConnect::new(tls))
        .await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) async fn certificates_are_right_and_bound(major: Major) {
    for keys in [Keys::P256, Keys::P384, Keys::RsaSha512] {
        let cluster = start(major, Tls::new(keys));
        for host in ["127.0.0.1", "localhost"] {
            let client = connect(&cluster, host).await.unwrap();
            let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            assert!(client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0), "{keys:?}");
        }
        assert!(
            tokio_postgres::connect(&cluster.url("postgres"), tokio_postgres::NoTls)
                .await
                .is_err(),
            "the rule wants TLS"
        );
        // By socket the superuser is let in all the same.
        cluster.execute("postgres", "SELECT 1").await.unwrap();
    }
}

pub(crate) async fn a_wrong_name_is_refused(major: Major) {
    let cluster = start(major, Tls::wrong_name());
    let error = connect(&cluster, "localhost").await.expect_err("a refusal");
    let text = format!("{error:?}");
    assert!(text.contains("NotValidForName"), "{text}");
}
