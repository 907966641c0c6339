//! TLS against a real server, with certificates that the test makes.

use crate::support::{self, CANARY, CANARY_DECODED, Server, connect, told};
use pg_session::{Kind, Session, Sql, TargetError};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SignatureAlgorithm,
};
use std::path::PathBuf;

/// An authority, and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    algorithm: &'static SignatureAlgorithm,
}

impl Authority {
    fn new(name: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate_for(algorithm).expect("key");
        let pem = params.self_signed(&key).expect("certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
            algorithm,
        }
    }

    /// Certificate and key for names; `year` is the last one in which it is valid.
    fn signs(&self, names: &[&str], common_name: &str, year: i32) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("params");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate_for(self.algorithm).expect("key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }
}

const HOSTSSL: &str = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

/// A server with TLS, and its files on our side.
struct Secured {
    server: Server,
    folder: tempfile::TempDir,
}

impl Secured {
    async fn start(certificate: &str, key: &str, hba: &str, more: &[(&str, &str)]) -> Self {
        let mut server = Server::start(&[], hba);
        server.file("server.crt", certificate);
        server.file("server.key", key);
        for (name, value) in [("ssl", "on")].iter().chain(more) {
            server.admin(&format!("ALTER SYSTEM SET {name} = '{value}'")).await;
        }
        server.restart();
        server
            .admin(&format!("CREATE ROLE app LOGIN PASSWORD '{CANARY_DECODED}'"))
            .await;
        Self {
            server,
            folder: tempfile::tempdir().expect("folder"),
        }
    }

    fn keep(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect(name);
        path
    }

    /// An address by `host`.
    fn url(&self, host: &str, rest: &str) -> String {
        format!("postgres://app:{CANARY}@{host}:{}/postgres?{rest}", self.server.port())
    }
}

/// TLS version, and whether there is TLS at all.
async fn encrypted(session: &Session) -> bool {
    let sql = Sql::text("SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()");
    session.one(&sql).await.expect("row").get(0)
}

fn tls_error(error: &TargetError) -> String {
    assert!(matches!(error, TargetError::Tls { .. }), "{error:?}");
    assert!(error.is_configuration());
    told(error)
}

#[tokio::test]
async fn verify_full_with_channel_binding_and_sha_256_and_384() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let authority = Authority::new("test authority", algorithm);
        let (certificate, key) = authority.signs(&["localhost"], "db", 2999);
        let secured = Secured::start(&certificate, &key, HOSTSSL, &[]).await;
        let ca = secured.keep("ca.pem", &authority.pem);
        let ca = ca.display();
        for binding in ["require", "prefer", "disable"] {
            let rest = format!("sslmode=verify-full&sslrootcert={ca}&channel_binding={binding}");
            let session = connect(&secured.url("localhost", &rest)).await.expect(binding);
            assert!(encrypted(&session).await);
        }
        // A request to cancel goes over TLS too.
        let rest = format!("sslrootcert={ca}&channel_binding=require");
        let session = connect(&secured.url("localhost", &rest)).await.expect("by default");
        let slow = Sql::text("SELECT pg_catalog.pg_sleep(600)");
        let canceller = session.canceller();
        let (result, ()) = tokio::join!(session.query(&slow), async {
            let watch = secured.server.socket("postgres").await;
            let sleeping = Sql::text("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE wait_event = 'PgSleep'");
            while watch.maybe(&sleeping).await.expect("looked").is_none() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            canceller.cancel().await.expect("sent");
        });
        assert_eq!(result.expect_err("cancelled").kind, Kind::Cancelled);
    }
}

#[tokio::test]
async fn channel_binding_that_cannot_be_had_is_refused() {
    let server = Server::start(&[], support::SCRAM);
    server
        .admin(&format!("CREATE ROLE app LOGIN PASSWORD '{CANARY_DECODED}'"))
        .await;
    // No TLS at all: a server that stands in between could offer that.
    let login = format!("app:{CANARY}");
    let error = connect(&server.url(&login, "postgres?channel_binding=require"))
        .await
        .expect_err("nothing to bind to");
    assert!(tls_error(&error).contains("channel_binding=require"), "{error}");
    // TLS, and no password asked for.
    let authority = Authority::new("a", &rcgen::PKCS_ECDSA_P256_SHA256);
    let (certificate, key) = authority.signs(&["localhost"], "db", 2999);
    let secured = Secured::start(&certificate, &key, support::TRUST, &[]).await;
    let error = connect(&secured.url("localhost", "channel_binding=require"))
        .await
        .expect_err("nothing was bound");
    assert!(tls_error(&error).contains("channel_binding=require"), "{error}");
}

#[tokio::test]
async fn certificates_that_do_not_fit() {
    let authority = Authority::new("ours", &rcgen::PKCS_ECDSA_P256_SHA256);
    let (certificate, key) = authority.signs(&["db.example"], "localhost", 2999);
    let secured = Secured::start(&certificate, &key, HOSTSSL, &[]).await;
    let ours = secured.keep("ca.pem", &authority.pem);
    let theirs = Authority::new("theirs", &rcgen::PKCS_ECDSA_P256_SHA256);
    let theirs = secured.keep("theirs.pem", &theirs.pem);
    let (ours, theirs) = (ours.display(), theirs.display());

    let name = connect(&secured.url("localhost", &format!("sslrootcert={ours}")))
        .await
        .expect_err("for another name");
    assert!(tls_error(&name).contains("another name"), "{name}");
    let issuer = connect(&secured.url("localhost", &format!("sslmode=verify-ca&sslrootcert={theirs}")))
        .await
        .expect_err("another authority");
    assert!(tls_error(&issuer).contains("sslrootcert"), "{issuer}");
    let machine = connect(&secured.url("localhost", "sslmode=verify-full"))
        .await
        .expect_err("not one of the machine's");
    assert!(tls_error(&machine).contains("sslrootcert"), "{machine}");
    for rest in [
        format!("sslmode=verify-ca&sslrootcert={ours}"),
        format!("sslmode=require&sslrootcert={ours}"),
        "sslmode=require&channel_binding=require".to_owned(),
        "sslmode=prefer".to_owned(),
        String::new(),
    ] {
        let session = connect(&secured.url("127.0.0.1", &rest)).await.expect(&rest);
        assert!(encrypted(&session).await, "{rest}");
    }
    // As in libpq, a named root makes `require` verify.
    let require = connect(&secured.url("127.0.0.1", &format!("sslmode=require&sslrootcert={theirs}"))).await;
    tls_error(&require.expect_err("another authority"));
}

#[tokio::test]
async fn an_expired_certificate() {
    let authority = Authority::new("ours", &rcgen::PKCS_ECDSA_P256_SHA256);
    let (certificate, key) = authority.signs(&["localhost"], "db", 2001);
    let secured = Secured::start(&certificate, &key, HOSTSSL, &[]).await;
    let ours = secured.keep("ca.pem", &authority.pem);
    for mode in ["verify-full", "verify-ca"] {
        let rest = format!("sslmode={mode}&sslrootcert={}", ours.display());
        let error = connect(&secured.url("localhost", &rest)).await.expect_err(mode);
        assert!(tls_error(&error).contains("expired"), "{error}");
    }
}

#[tokio::test]
async fn a_self_signed_server_certificate_can_be_named_as_root() {
    // As `openssl req -x509` makes it: its own authority.
    for is_ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::NoCa] {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
        params.is_ca = is_ca;
        let pair = KeyPair::generate().expect("key");
        let certificate = params.self_signed(&pair).expect("certificate");
        let secured = Secured::start(&certificate.pem(), &pair.serialize_pem(), HOSTSSL, &[]).await;
        let path = secured.keep("server.pem", &certificate.pem());
        let rest = format!("sslrootcert={}&channel_binding=require", path.display());
        let session = connect(&secured.url("localhost", &rest)).await.expect("named");
        assert!(encrypted(&session).await);
        let error = connect(&secured.url("127.0.0.1", &rest))
            .await
            .expect_err("not for this name");
        assert!(tls_error(&error).contains("another name"), "{error}");
        let other = Authority::new("localhost", &rcgen::PKCS_ECDSA_P256_SHA256);
        let path = secured.keep("other.pem", &other.pem);
        let error = connect(&secured.url("localhost", &format!("sslrootcert={}", path.display())))
            .await
            .expect_err("not named");
        tls_error(&error);
    }
}

#[tokio::test]
async fn a_server_without_tls() {
    let server = Server::start(&[], support::TRUST);
    for mode in ["require", "verify-ca", "verify-full"] {
        let login = format!("postgres:{CANARY}");
        let error = connect(&server.url(&login, &format!("postgres?sslmode={mode}")))
            .await
            .expect_err(mode);
        assert!(tls_error(&error).contains("the server has none"), "{error}");
    }
    let session = connect(&server.url("postgres", "postgres?sslmode=prefer"))
        .await
        .expect("without");
    assert!(!encrypted(&session).await);
}

#[tokio::test]
async fn a_server_that_wants_tls_and_one_that_wants_a_certificate() {
    let authority = Authority::new("ours", &rcgen::PKCS_ECDSA_P256_SHA256);
    let (certificate, key) = authority.signs(&["localhost"], "db", 2999);
    let hba = "local all all trust\nhostssl all all 127.0.0.1/32 cert\n";
    let secured = Secured::start(&certificate, &key, hba, &[]).await;
    secured.server.file("root.crt", &authority.pem);
    secured.server.admin("ALTER SYSTEM SET ssl_ca_file = 'root.crt'").await;
    let mut secured = secured;
    secured.server.restart();
    let ca = secured.keep("ca.pem", &authority.pem);
    let root = format!("sslrootcert={}", ca.display());

    let error = connect(&secured.url("localhost", "sslmode=disable"))
        .await
        .expect_err("TLS only");
    assert!(matches!(error, TargetError::TlsRequired { .. }), "{error:?}");
    assert!(error.is_configuration());
    told(&error);

    let error = connect(&secured.url("localhost", &root))
        .await
        .expect_err("no certificate");
    assert!(error.is_configuration(), "{error:?}");
    told(&error);

    let (mine, my_key) = authority.signs(&[], "app", 2999);
    let mine = secured.keep("app.crt", &mine);
    let my_key = secured.keep("app.key", &my_key);
    let rest = format!("{root}&sslcert={}&sslkey={}", mine.display(), my_key.display());
    let session = connect(&secured.url("localhost", &rest))
        .await
        .expect("with a certificate");
    assert!(encrypted(&session).await);

    let (other, other_key) = authority.signs(&[], "mallory", 2999);
    let other = secured.keep("other.crt", &other);
    let other_key = secured.keep("other.key", &other_key);
    let rest = format!("{root}&sslcert={}&sslkey={}", other.display(), other_key.display());
    let error = connect(&secured.url("localhost", &rest))
        .await
        .expect_err("somebody else's");
    assert!(matches!(error, TargetError::WrongLogin { .. }), "{error:?}");
    told(&error);
}

#[tokio::test]
async fn files_that_cannot_be_used() {
    let folder = tempfile::tempdir().expect("folder");
    let junk = folder.path().join("junk.pem");
    std::fs::write(&junk, "no certificate").expect("written");
    let (junk, missing) = (junk.display(), folder.path().join("missing.pem").display().to_string());
    for rest in [
        format!("sslrootcert={missing}"),
        format!("sslrootcert={junk}"),
        format!("sslcert={missing}&sslkey={missing}"),
        format!("sslcert={junk}&sslkey={junk}"),
        format!("sslcert={junk}"),
        format!("sslkey={junk}"),
    ] {
        let error = connect(&format!("postgres://app:{CANARY}@db.example/db?{rest}"))
            .await
            .expect_err(&rest);
        assert!(matches!(error, TargetError::Files { .. }), "{error:?}");
        assert!(error.is_configuration());
        told(&error);
    }
}
