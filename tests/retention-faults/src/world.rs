//! Owns a server with one database, the program on it, and what is asked of both.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pg_cluster::{Cluster, Major, Options};
use program::Ended;
use tokio::runtime::{Handle, Runtime};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(50);
/// Between two looks.
const PACE: Duration = Duration::from_millis(4);
/// The database.
const DATABASE: &str = "app";
/// Sessions of the program.
const ITS_SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'retention-job%'";

/// A server with a database `app`, a folder, and keys for receipts.
pub struct World {
    /// The server.
    pub cluster: Cluster,
    runtime: Runtime,
    folder: tempfile::TempDir,
    keys: OnceCell<PathBuf>,
}

impl World {
    /// A server whose tables change only when somebody wants it: without autovacuum.
    pub fn new() -> Self {
        Self::with(&Options::default())
    }

    /// With more settings.
    pub fn with(options: &Options) -> Self {
        let mut all = Options::default().set("autovacuum", "off");
        all.settings.extend(options.settings.clone());
        let all = Options {
            settings: all.settings,
            ..options.clone()
        };
        let world = Self::on(Cluster::start(Major::any(), &all).expect("a server"));
        world
            .runtime
            .block_on(world.cluster.create_database(DATABASE))
            .expect("a database");
        world
    }

    /// A world on a server that has the database already.
    pub fn on(cluster: Cluster) -> Self {
        Self {
            cluster,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
            folder: tempfile::tempdir().unwrap(),
            keys: OnceCell::new(),
        }
    }

    /// For what is asynchronous.
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// A session of its own, as the superuser, by socket.
    pub fn open(&self) -> Session {
        let client = self
            .runtime
            .block_on(self.cluster.connect(DATABASE))
            .expect("a session");
        Session {
            client,
            handle: self.runtime.handle().clone(),
        }
    }

    /// Runs statements.
    #[track_caller]
    pub fn sql(&self, text: &str) {
        self.open().sql(text);
    }

    /// One value as text; `NULL` is `None`.
    #[track_caller]
    pub fn value(&self, text: &str) -> Option<String> {
        self.open().value(text)
    }

    /// One number.
    #[track_caller]
    pub fn number(&self, text: &str) -> i64 {
        self.open().number(text)
    }

    /// The program's address of the database.
    pub fn url(&self) -> String {
        self.cluster.url(DATABASE)
    }

    /// The program on this database: JSON on stdout, nothing else in its environment.
    pub fn job<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = program::command(crate::binary::retention_job(), args);
        command.env("DATABASE_URL", self.url()).env("OUTPUT", "json");
        command
    }

    /// `run` with a policy and a signing key.
    pub fn night(&self, policy: &str) -> Command {
        let mut command = self.job(["run"]);
        self.equip(&mut command, policy);
        command
    }

    /// Gives a command a policy and the signing key.
    pub fn equip(&self, command: &mut Command, policy: &str) {
        command
            .env("RETENTION_POLICY", self.file("policy.yaml", policy))
            .env("RETENTION_SIGNING_KEY_FILE", self.signing_key());
    }

    /// Runs a command to its end, which must have this exit code.
    #[track_caller]
    pub fn ends(&self, command: &mut Command, code: i32) -> Ended {
        let ended = program::run(command);
        assert_eq!(ended.code, Some(code), "{ended:#?}\n{}", self.cluster.log());
        ended
    }

    /// A file in this world's folder.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        // A process that was started with the same text may be reading it.
        if std::fs::read(&path).ok().as_deref() != Some(text.as_ref()) {
            std::fs::write(&path, text).unwrap();
        }
        path
    }

    /// A path in this world's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The private key; the public one has `.pub` added.
    pub fn signing_key(&self) -> &Path {
        self.keys.get_or_init(|| {
            let path = self.path("signing.pem");
            let mut keygen = program::command(crate::binary::retention_job(), ["receipts", "keygen", "--out"]);
            self.ends(keygen.arg(&path), 0);
            path
        })
    }

    /// Takes over the keys of another world, before any are made: receipts of one database have one signer.
    ///
    /// # Panics
    /// There are keys already.
    pub fn signs_like(&self, other: &Self) {
        self.keys.set(other.signing_key().to_owned()).expect("no keys yet");
    }

    /// Waits until the server has noticed that no program is there any more.
    #[track_caller]
    pub fn at_rest(&self) {
        self.open().until(&format!("SELECT ({ITS_SESSIONS}) = 0"));
    }

    /// Waits until a run has committed so many batches.
    #[track_caller]
    pub fn batches(&self, count: u32) {
        let session = self.open();
        session.until("SELECT to_regclass('retention.audit') IS NOT NULL");
        session.until(&format!("SELECT count(*) >= {count} FROM retention.audit"));
    }

    /// Every row version of a table: other after any write, also one that changes nothing.
    #[track_caller]
    pub fn fingerprint(&self, table: &str) -> String {
        self.value(&format!(
            "SELECT count(*) || ' ' || md5(coalesce(string_agg(ctid::text || xmin::text || t::text, ',' ORDER BY ctid), '')) \
             FROM {table} AS t"
        ))
        .unwrap()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// A connection as the superuser. Dropping it ends it, and whatever transaction it has.
pub struct Session {
    client: Client,
    handle: Handle,
}

impl Session {
    /// Runs statements.
    ///
    /// # Panics
    /// The server said no.
    #[track_caller]
    pub fn sql(&self, text: &str) {
        if let Err(error) = self.try_sql(text) {
            panic!("{error:?}: {text}");
        }
    }

    /// Runs statements that may be refused.
    pub fn try_sql(&self, text: &str) -> Result<(), tokio_postgres::Error> {
        self.handle.block_on(self.client.batch_execute(text))
    }

    /// All values of the first column.
    #[track_caller]
    pub fn column(&self, text: &str) -> Vec<Option<String>> {
        let messages = self
            .handle
            .block_on(self.client.simple_query(text))
            .unwrap_or_else(|error| panic!("{error:?}: {text}"));
        messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
                _ => None,
            })
            .collect()
    }

    /// One value.
    #[track_caller]
    pub fn value(&self, text: &str) -> Option<String> {
        let mut values = self.column(text);
        assert_eq!(values.len(), 1, "{text}");
        values.pop().flatten()
    }

    /// One number.
    #[track_caller]
    pub fn number(&self, text: &str) -> i64 {
        let value = self.value(text);
        value
            .as_ref()
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("{value:?} is no number: {text}"))
    }

    /// Waits until a condition is true.
    ///
    /// # Panics
    /// It does not come true.
    #[track_caller]
    pub fn until(&self, condition: &str) {
        let end = Instant::now() + PATIENCE;
        while self.value(condition).as_deref() != Some("t") {
            assert!(Instant::now() < end, "never true: {condition}");
            std::thread::sleep(PACE);
        }
    }
}
