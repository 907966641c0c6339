//! Servers with the access rules and certificates that a test wants.

use pg_cluster::{Cluster, Major, Options, Stop};
use pg_session::{Session, SessionOptions, Target, TargetError};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

/// Everybody is let in.
pub(crate) const TRUST: &str = "local all all trust\nhost all all 127.0.0.1/32 trust\n";
/// Everybody needs a password, except on the Unix socket.
pub(crate) const SCRAM: &str = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// No message may hold it.
pub(crate) const CANARY: &str = "k4n4ry-p%40ss";
/// As the server knows it.
pub(crate) const CANARY_DECODED: &str = "k4n4ry-p@ss";

/// What the tests' own environment says is not asked.
pub(crate) fn no_env(_: &str) -> Option<String> {
    None
}

pub(crate) struct Server {
    pub(crate) cluster: Cluster,
}

impl Server {
    pub(crate) fn start(settings: &[(&str, &str)], hba: &str) -> Self {
        let options = settings
            .iter()
            .fold(Options::default(), |options, (name, value)| options.set(name, value));
        let mut server = Self {
            cluster: Cluster::start(Major::any(), &options).expect("a server"),
        };
        server.file("pg_hba.conf", hba);
        // A reload is not acknowledged; a start is.
        server.restart();
        server
    }

    /// Writes a file into the data folder, for the server's user alone.
    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.cluster.data().join(name);
        std::fs::write(&path, text).expect(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect(name);
        let owner = std::fs::metadata(self.cluster.data()).expect("data");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect(name);
    }

    /// Stops and starts, for settings that need it.
    pub(crate) fn restart(&mut self) {
        self.cluster.stop(Stop::Fast).expect("stopped");
        self.cluster.start_again().expect("started");
    }

    pub(crate) fn port(&self) -> u16 {
        self.cluster.port()
    }

    /// A session on the Unix socket, where the superuser is always let in.
    pub(crate) async fn socket(&self, database: &str) -> Session {
        let folder = self.cluster.folder().display();
        let address = format!("host={folder} port={} user=postgres dbname={database}", self.port());
        connect(&address).await.expect("a session on the socket")
    }

    /// Runs statements as the superuser, one by one.
    pub(crate) async fn admin(&self, sql: &str) {
        let session = self.socket("postgres").await;
        for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
            session.batch(statement).await.expect(statement);
        }
    }

    /// `postgres://login@127.0.0.1:port/rest`.
    pub(crate) fn url(&self, login: &str, rest: &str) -> String {
        format!("postgres://{login}@127.0.0.1:{}/{rest}", self.port())
    }
}

pub(crate) async fn connect(address: &str) -> Result<Session, TargetError> {
    Target::parse_with(address, no_env)?
        .connect(&SessionOptions::new("test"))
        .await
}

/// The whole chain, as it would be printed; no password in it, whatever went wrong.
pub(crate) fn told(error: &TargetError) -> String {
    let text = runtime::exit::chain_of(error);
    let debug = format!("{error:?}");
    for text in [&text, &debug] {
        assert!(!text.contains("k4n4ry"), "{text}");
    }
    text
}
