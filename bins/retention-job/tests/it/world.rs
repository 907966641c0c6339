//! A server with the users' tables, the program, and proof that nothing was touched.

use pg_cluster::{Cluster, Major, Options};
use program::Ended;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The password of everybody; it may not be seen anywhere. It needs percent-encoding, as passwords do.
pub(crate) const PASSWORD: &str = "canary-p@ss/7f21";
const PASSWORD_ENCODED: &str = "canary-p%40ss%2F7f21";
/// What no output may hold: both spellings of the password have it, and so have keys.
pub(crate) const CANARY: &str = "canary";
/// The role that the program uses: it owns the tables.
pub(crate) const OWNER: &str = "job";

/// The tables of the built-in policy, as users have them: three due rows in each.
const TABLES: &str = "
CREATE TABLE pii_events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint, created_at timestamptz, payload text);
CREATE TABLE users (id bigint PRIMARY KEY, email text, phone text, rtbf_requested boolean NOT NULL DEFAULT false, rtbf_completed_at timestamptz);
CREATE TABLE transactions (id bigint PRIMARY KEY, created_at timestamptz NOT NULL, card_last4 text, ip inet, amount numeric NOT NULL);
INSERT INTO pii_events (user_id, created_at, payload)
  SELECT n, now() - n * interval '40 days', 'event ' || n FROM generate_series(0, 5) AS n;
INSERT INTO users SELECT n, n || '@example.invalid', '+49 ' || n, n % 2 = 0 FROM generate_series(1, 6) AS n;
INSERT INTO transactions SELECT n, now() - n * interval '130 days', '4242', '192.0.2.1', n FROM generate_series(0, 5) AS n;
";

/// The program with these arguments, an empty environment, and no terminal.
pub(crate) fn retention_job<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    program::command(env!("CARGO_BIN_EXE_retention-job"), args)
}

/// A server with a database `app`.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&Options::default().password(PASSWORD))
    }

    pub(crate) fn with(options: &Options) -> Self {
        let world = Self {
            cluster: Cluster::start(Major::any(), options).expect("a server"),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        world.sql_in("postgres", &format!("CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'"));
        world.sql_in("postgres", &format!("CREATE DATABASE app OWNER {OWNER}"));
        world.sql(&format!(
            "GRANT ALL ON SCHEMA public TO {OWNER}; SET SESSION AUTHORIZATION {OWNER}; {TABLES}"
        ));
        world
    }

    /// Runs statements as the superuser, in the database `app`.
    pub(crate) fn sql(&self, text: &str) {
        self.sql_in("app", text);
    }

    /// Runs statements as the role that the program uses.
    pub(crate) fn own(&self, text: &str) {
        self.sql(&format!("SET SESSION AUTHORIZATION {OWNER}; {text}"));
    }

    pub(crate) fn sql_in(&self, database: &str, text: &str) {
        self.runtime.block_on(async {
            let client = self.cluster.connect(database).await.expect("a session");
            if let Err(error) = client.batch_execute(text).await {
                panic!("{error:?}: {text}");
            }
        });
    }

    /// All values of the first column, as text.
    pub(crate) fn column(&self, text: &str) -> Vec<Option<String>> {
        self.runtime.block_on(async {
            let client = self.cluster.connect("app").await.expect("a session");
            let messages = client
                .simple_query(text)
                .await
                .unwrap_or_else(|error| panic!("{error:?}: {text}"));
            messages
                .iter()
                .filter_map(|message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
                    _ => None,
                })
                .collect()
        })
    }

    /// One value.
    pub(crate) fn value(&self, text: &str) -> String {
        let values = self.column(text);
        assert_eq!(values.len(), 1, "{text}");
        values.into_iter().next().flatten().unwrap_or_else(|| "NULL".to_owned())
    }

    /// Keeps statements running in a session of its own until the answer is dropped.
    pub(crate) fn hold(&self, text: &str) -> tokio_postgres::Client {
        self.runtime.block_on(async {
            let client = self.cluster.connect("app").await.expect("a session");
            client.batch_execute(text).await.expect("held");
            client
        })
    }

    /// Everything that there is outside the server's own catalogs: the tables with a checksum over every row version, and
    /// the definition of what is no table. Different after any write, also one that changes nothing.
    pub(crate) fn fingerprint(&self) -> String {
        let relations = self.column(
            "SELECT c.oid::regclass::text || ' ' || c.relkind::text || ' ' || coalesce(c.relpartbound::text, '') FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind NOT IN ('i', 'S') ORDER BY 1",
        );
        let mut text = String::new();
        for relation in relations.into_iter().flatten() {
            let (name, kind) = relation
                .rsplit_once(" r")
                .map_or((relation.as_str(), ' '), |(name, _)| (name, 'r'));
            let rows = if kind == 'r' {
                self.value(&format!(
                    "SELECT count(*) || ' ' || coalesce(md5(string_agg(ctid::text || xmin::text || t::text, ',' ORDER BY ctid)), '') \
                     FROM ONLY {name} AS t"
                ))
            } else {
                String::new()
            };
            let _ = writeln!(text, "{relation} {rows}");
        }
        text
    }

    /// The address for the role that owns the tables.
    pub(crate) fn url(&self) -> String {
        self.url_of(OWNER)
    }

    pub(crate) fn url_of(&self, user: &str) -> String {
        format!(
            "postgres://{user}:{PASSWORD_ENCODED}@127.0.0.1:{}/app",
            self.cluster.port()
        )
    }

    /// The program on this database. JSON on stdout.
    pub(crate) fn job<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = retention_job(args);
        command.env("DATABASE_URL", self.url()).env("OUTPUT", "json");
        command
    }

    /// Places a hold on a user, as a privacy officer does.
    #[track_caller]
    pub(crate) fn hold_user(&self, id: u32, policy: &Path) {
        let (id, row) = (id.to_string(), ["--table", "public.users", "--column", "id"]);
        let mut command = self.job(["hold", "add", "--reason", "a case", "--value", &id]);
        let ended = program::run(command.args(row).env("RETENTION_POLICY", policy));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// A file with this text.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `run` with this policy.
    pub(crate) fn with_policy(&self, policy: &str) -> Command {
        let mut command = self.job(["run"]);
        command.env("RETENTION_POLICY", self.file("policy.yaml", policy));
        command
    }

    /// Runs a command that must be refused: the exit code, nothing on stdout, nothing touched, no password anywhere.
    /// Gives what was said, fit for a snapshot.
    #[track_caller]
    pub(crate) fn refused(&self, command: &mut Command, code: i32) -> String {
        let before = self.fingerprint();
        let ended = program::run(command);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert_eq!(ended.stdout, "", "{ended:?}");
        assert_eq!(self.fingerprint(), before, "touched something: {ended:?}");
        self.said(&ended)
    }

    /// What stands on stderr apart from the log; no password anywhere.
    #[track_caller]
    pub(crate) fn said(&self, ended: &Ended) -> String {
        for text in [&ended.stdout, &ended.stderr] {
            assert!(!text.contains(CANARY), "a secret is shown: {text}");
        }
        let log = self.cluster.log();
        assert!(!log.contains(CANARY), "a secret reached the server's log: {log}");
        let mut said = String::new();
        for line in ended.stderr.lines().filter(|line| !line.starts_with('{')) {
            said.push_str(line);
            said.push('\n');
        }
        self.neutral(&said)
    }

    /// Without what differs from run to run.
    pub(crate) fn neutral(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "DIR")
            .replace(&format!("127.0.0.1:{}", self.cluster.port()), "127.0.0.1:PORT")
    }
}

/// Refusals of one kind, for one snapshot.
pub(crate) struct Refusals<'a> {
    world: &'a World,
    text: String,
}

impl<'a> Refusals<'a> {
    pub(crate) fn of(world: &'a World) -> Self {
        Self {
            world,
            text: String::new(),
        }
    }

    /// One that must be refused with this code.
    #[track_caller]
    pub(crate) fn add(&mut self, name: &str, code: i32, command: &mut Command) {
        let said = self.world.refused(command, code);
        let _ = writeln!(self.text, "## {name}: exit {code}\n{said}");
    }

    /// The policy of the case, refused with exit code 2.
    #[track_caller]
    pub(crate) fn policy(&mut self, name: &str, policy: &str) {
        self.add(name, 2, &mut self.world.with_policy(policy));
    }

    pub(crate) fn text(self) -> String {
        self.text
    }
}
