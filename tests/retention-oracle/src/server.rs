//! Owns a server with one database a case, and the program on it.

use pg_cluster::{Cluster, Major, Options};
use program::{Ended, Running};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, SimpleQueryMessage};

/// A database with the schema `retention` and nothing else.
const TEMPLATE: &str = "template_oracle";

/// No case takes so long.
const PATIENCE: Duration = Duration::from_secs(25);
/// Between two looks.
const PACE: Duration = Duration::from_millis(4);

/// A server.
pub struct Server {
    cluster: Cluster,
    runtime: Runtime,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one, with the template of all cases in it, and makes a key for receipts.
    pub fn start() -> Self {
        let options = Options::default().set("autovacuum", "off");
        let server = Self {
            cluster: Cluster::start(Major::any(), &options).expect("a server"),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        server
            .runtime
            .block_on(server.cluster.create_database(TEMPLATE))
            .unwrap();
        let made = program::run(&mut server.job(TEMPLATE, &["init"]));
        assert_eq!(made.code, Some(0), "{made:?}");
        let mut keygen = server.job(TEMPLATE, &["receipts", "keygen", "--out"]);
        keygen.env_remove("DATABASE_URL").env_remove("OUTPUT").arg(server.key());
        let made = program::run(&mut keygen);
        assert_eq!(made.code, Some(0), "{made:?}");
        server
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("signing.pem")
    }

    /// A folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program on a database; JSON on stdout.
    pub fn job(&self, database: &str, args: &[&str]) -> Command {
        let mut command = program::command(retention_faults::binary::retention_job(), args);
        command
            .env("DATABASE_URL", self.cluster.url(database))
            .env("OUTPUT", "json");
        command
    }

    /// `run` with a policy, a key, and tiny batches.
    pub fn night(&self, database: &str, policy: &str, as_of: Option<&str>) -> Command {
        let path = self.folder.path().join("policy.json");
        std::fs::write(&path, policy).unwrap();
        let mut command = self.job(database, &["run"]);
        command
            .env("RETENTION_POLICY", path)
            .env("RETENTION_SIGNING_KEY_FILE", self.key())
            .env("RETENTION_HMAC_KEY", crate::case::HMAC_KEY)
            .env("RETENTION_BATCH_TARGET", "1ms");
        if let Some(as_of) = as_of {
            command.args(["--as-of", as_of]);
        }
        command
    }

    /// Runs a night to its end.
    ///
    /// # Errors
    /// It hangs; what it was at.
    pub fn patiently(&self, command: &mut Command) -> Result<Ended, String> {
        let mut running = Running::start(command);
        let end = Instant::now() + PATIENCE;
        while !running.has_ended() {
            if Instant::now() > end {
                let at = self.open("postgres").rows(
                    "SELECT state, wait_event, query FROM pg_stat_activity WHERE application_name LIKE 'retention-job%'",
                );
                return Err(format!("it hangs, at {at:?}; {}", running.kill().stderr));
            }
            std::thread::sleep(PACE);
        }
        Ok(running.wait())
    }

    /// Exports receipts and audit rows, and verifies them against the newest receipt.
    pub fn verify(&self, database: &str, head: &str) -> Ended {
        let folder = self.folder.path().join(database);
        let folder = folder.to_str().unwrap();
        let exported = program::run(&mut self.job(database, &["receipts", "export", folder]));
        assert_eq!(exported.code, Some(0), "{exported:?}");
        let mut command = self.job(database, &["receipts", "verify", folder, "--expect-head", head]);
        let mut public = self.key().into_os_string();
        public.push(".pub");
        program::run(command.env_remove("DATABASE_URL").arg("--key").arg(public))
    }

    /// A database with the schema `retention`.
    pub fn database(&self, name: &str) -> Session<'_> {
        let make = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}");
        self.runtime.block_on(self.cluster.execute("postgres", &make)).unwrap();
        self.open(name)
    }

    /// Another session on it.
    pub fn open(&self, name: &str) -> Session<'_> {
        let client = self.runtime.block_on(self.cluster.connect(name)).unwrap();
        let session = Session { client, server: self };
        session.sql("SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'");
        session
    }

    /// Takes a database away.
    pub fn drop_database(&self, name: &str) {
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        self.runtime.block_on(self.cluster.execute("postgres", &drop)).unwrap();
    }
}

/// A session as the superuser.
pub struct Session<'a> {
    client: Client,
    server: &'a Server,
}

impl Session<'_> {
    /// Statements; gives the rows of the last changes, if the server told.
    #[track_caller]
    pub fn sql(&self, text: &str) {
        if let Err(error) = self.server.runtime.block_on(self.client.batch_execute(text)) {
            panic!("{error:?}: {text}");
        }
    }

    /// Rows as text.
    #[track_caller]
    pub fn rows(&self, text: &str) -> Vec<Vec<Option<String>>> {
        let messages = self
            .server
            .runtime
            .block_on(self.client.simple_query(text))
            .unwrap_or_else(|error| panic!("{error:?}: {text}"));
        messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|place| row.get(place).map(str::to_owned)).collect())
                }
                _ => None,
            })
            .collect()
    }

    /// One number.
    #[track_caller]
    pub fn number(&self, text: &str) -> i64 {
        let rows = self.rows(text);
        rows[0][0]
            .as_ref()
            .unwrap_or_else(|| panic!("NULL: {text}"))
            .parse()
            .unwrap()
    }
}
