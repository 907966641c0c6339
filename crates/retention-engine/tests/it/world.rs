//! A database of its own for each test, on one server that lives as long as any test uses it; policies by hand.

use jiff::Timestamp;
use pg_cluster::{Cluster, Major};
use pg_session::target::SessionOptions;
use pg_session::{Session, Target};
use retention_engine::{Counted, Engine, Options, Parts, Progress, RunContext};
use retention_plan::holds::HoldRules;
use retention_plan::resolve::{Keys, resolve, table_names};
use retention_plan::{Strategy, Task, catalog};
use retention_policy::{Action, Age, Condition, Guards, OnChildren, Policy, Rule, TableName, Term, Transform};
use retention_proof::RuleResult;
use retention_store::run::{self, NewRun, RunKind};
use runtime::{Shutdown, ShutdownTrigger};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres::Client;

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
static NUMBER: AtomicU32 = AtomicU32::new(0);

fn shared() -> Arc<Cluster> {
    let mut shared = SHARED.lock().unwrap();
    if let Some(cluster) = shared.upgrade() {
        return cluster;
    }
    let options = pg_cluster::Options::default()
        .set("shared_buffers", "256MB")
        .set("max_connections", "200");
    // The server ends with the thread that started it: one that outlives every test.
    let (started, cluster) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        started.send(Cluster::start(Major::any(), &options)).unwrap();
        loop {
            std::thread::park();
        }
    });
    let cluster = Arc::new(cluster.recv().unwrap().unwrap());
    *shared = Arc::downgrade(&cluster);
    cluster
}

pub(crate) struct World {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) database: String,
    pub(crate) target: Target,
    pub(crate) admin: Client,
    pub(crate) as_of: Timestamp,
}

pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) tasks: Vec<Task>,
    pub(crate) run_id: String,
    pub(crate) progress: watch::Receiver<Progress>,
    pub(crate) trigger: ShutdownTrigger,
}

impl World {
    /// A database with the tool's schema and `sql`.
    pub(crate) async fn new(sql: &str) -> Self {
        Self::on(shared(), sql).await
    }

    /// On a server of its own, for what a server shares: settings, the horizon of old snapshots.
    pub(crate) async fn alone(options: &pg_cluster::Options, sql: &str) -> Self {
        Self::on(Arc::new(Cluster::start(Major::any(), options).unwrap()), sql).await
    }

    async fn on(cluster: Arc<Cluster>, sql: &str) -> Self {
        let database = format!("w{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        cluster.create_database(&database).await.unwrap();
        let admin = cluster.connect(&database).await.unwrap();
        let target = Target::parse(&cluster.url(&database)).unwrap();
        let session = target.connect(&SessionOptions::new("test")).await.unwrap();
        retention_store::ensure(&session).await.unwrap();
        admin.batch_execute(sql).await.unwrap();
        Self {
            cluster,
            database,
            target,
            admin,
            as_of: "2026-06-01T00:00:00Z".parse().unwrap(),
        }
    }

    pub(crate) async fn session(&self) -> Session {
        self.target.connect(&SessionOptions::new("test")).await.unwrap()
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.admin.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Remembers what must be left of `events` when all due rows are gone; but for `n`, which writers count up.
    pub(crate) async fn expect_only_due_to_go(&self) {
        self.run(&format!(
            "CREATE TABLE expected AS SELECT id, at, who, note FROM events WHERE NOT coalesce({DUE}, false)"
        ))
        .await;
    }

    /// Rows that are there and should not be, or the other way round.
    pub(crate) async fn unexpected(&self) -> i64 {
        self.number(
            "SELECT count(*) FROM ((SELECT id, at, who, note FROM events EXCEPT SELECT * FROM expected) UNION ALL \
             (SELECT * FROM expected EXCEPT SELECT id, at, who, note FROM events)) AS d",
        )
        .await
    }

    /// Until no session holds the run's lock.
    pub(crate) async fn wait_for_lock(&self) {
        self.until("SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'retention-job%'").await;
    }

    /// Until some session of this database waits for a lock.
    pub(crate) async fn wait_for_waiter(&self) {
        self.until(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .await;
    }

    pub(crate) async fn until(&self, sql: &str) {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !self.admin.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {
            assert!(std::time::Instant::now() < deadline, "never true: {sql}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A run that has begun, with its engine; `strategy` for every leaf.
    pub(crate) async fn begin(&self, rules: Vec<Rule>, strategy: Strategy, options: Options) -> Running {
        self.begin_through(&self.target, rules, strategy, options).await
    }

    /// As `begin`, but the engine's own sessions go to `target`.
    pub(crate) async fn begin_through(
        &self,
        target: &Target,
        rules: Vec<Rule>,
        strategy: Strategy,
        options: Options,
    ) -> Running {
        let policy = Policy {
            revision: None,
            grace_seconds: 0,
            legal_hold_labels: Vec::new(),
            rules,
            erasure: None,
            guards: Guards::default(),
        };
        let session_options = SessionOptions::new("retention-job");
        let work = target.connect(&session_options).await.unwrap();
        let catalog = catalog::read(&work, &table_names(&policy), self.as_of).await.unwrap();
        let mut tasks = resolve(&policy, &catalog, self.as_of, &Keys::default()).unwrap().tasks;
        for task in &mut tasks {
            for leaf in &mut task.leaves {
                leaf.strategy = strategy;
                if strategy == Strategy::Keyset {
                    let table = &catalog.tables[&leaf.relation.oid];
                    leaf.keyset = table.column("at").cloned();
                }
                if strategy == Strategy::Partition {
                    leaf.upper_bound = catalog.upper_bound(leaf.relation.oid, "at");
                    if leaf.upper_bound.is_none_or(|upper| upper > task.cutoff.unwrap()) {
                        leaf.strategy = Strategy::TidRange;
                    }
                }
            }
        }
        run::lock(&work).await.unwrap();
        let begun = run::begin(
            &work,
            &NewRun {
                kind: RunKind::Run,
                as_of: self.as_of,
                policy_digest: &"0".repeat(64),
                tool_version: "test",
            },
            Duration::from_secs(5),
        )
        .await
        .unwrap();
        let (progress, watched) = watch::channel(Progress::default());
        let (shutdown, trigger) = Shutdown::manual();
        let engine = Engine::new(Parts {
            target: target.clone(),
            session_options,
            work,
            context: RunContext {
                run_id: begun.run_id.clone(),
                fence: begun.fence,
                policy_digest: "0".repeat(64),
            },
            options,
            holds: HoldRules::new(&catalog, &policy),
            progress,
            shutdown,
        })
        .await
        .unwrap();
        Running {
            engine,
            tasks,
            run_id: begun.run_id,
            progress: watched,
            trigger,
        }
    }

    /// Applies one rule from beginning to end.
    pub(crate) async fn apply(&self, rule: Rule, strategy: Strategy, options: Options) -> RuleResult {
        let mut running = self.begin(vec![rule], strategy, options).await;
        let result = running.apply().await;
        self.check_audit(&running.run_id, result.rows).await;
        result
    }

    /// The chain is whole, and the rows' sum is `rows`.
    pub(crate) async fn check_audit(&self, run_id: &str, rows: u64) {
        let session = self.session().await;
        let mut link = retention_proof::ChainHash::start(run_id);
        let (mut seq, mut sum) = (0, 0);
        retention_store::audit::for_each(&session, run_id, |line| {
            seq += 1;
            assert_eq!(line.row.seq, seq);
            link = line.row.link(link);
            assert_eq!(line.link, link);
            assert!(line.row.started_at <= line.row.finished_at);
            sum += line.row.rows;
            Ok::<(), pg_session::DbError>(())
        })
        .await
        .unwrap();
        assert_eq!(sum, rows, "rows by the audit");
    }
}

impl Running {
    pub(crate) async fn apply(&mut self) -> RuleResult {
        let counted = some();
        self.engine.apply(&self.tasks[0], &counted).await.unwrap()
    }
}

/// A survey that only says that there is something to do.
pub(crate) fn some() -> Counted {
    Counted {
        todo: 1,
        ..Counted::default()
    }
}

/// Delete what is older than 30 days, by column `at`.
pub(crate) fn delete(table: &str) -> Rule {
    Rule {
        name: "old".to_owned(),
        table: TableName {
            schema: "public".to_owned(),
            name: table.to_owned(),
        },
        action: Action::Delete,
        age: Some(Age {
            column: "at".to_owned(),
            term: Term::Days(30),
        }),
        conditions: Vec::<Condition>::new(),
        max_rows: None,
        max_fraction: None,
        on_children: OnChildren::Keep,
        labels_column: None,
        subject_column: None,
        allow_no_primary_key: true,
        allow_unindexed_foreign_keys: true,
        keep_columns: None,
    }
}

/// Anonymise `who` and `note` of what is older than 30 days.
pub(crate) fn anonymise(table: &str) -> Rule {
    let mut rule = delete(table);
    rule.action = Action::Anonymise(
        [("who", Transform::Null), ("note", Transform::Null)]
            .map(|(column, transform)| (column.to_owned(), transform))
            .into(),
    );
    rule
}

/// 20,000 rows of 60 days: one in three is younger than 30 days.
pub(crate) const EVENTS: &str = "
    CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, who text, note text, n int NOT NULL DEFAULT 0);
    INSERT INTO events SELECT i, timestamptz '2026-06-01 00:00:00+00' - CASE WHEN i % 3 = 0 THEN interval '29 days' ELSE interval '31 days' END
      - i * interval '1 second', 'w' || i % 100, repeat('x', 40) FROM generate_series(1, 20000) AS i;
    INSERT INTO events VALUES (100001, NULL), (100002, 'infinity'), (100003, '-infinity'),
      (100004, timestamptz '2026-05-02 00:00:00+00'), (100005, timestamptz '2026-05-02 00:00:00+00' - interval '1 microsecond');
    CREATE INDEX ON events (at); ANALYZE events;";

/// Of [`EVENTS`], what is due: two of three, `-infinity`, and the one a microsecond before the cutoff.
pub(crate) const EVENTS_DUE: u64 = 13_334 + 2;
/// The due rows of [`EVENTS`], in SQL.
pub(crate) const DUE: &str = "at < timestamptz '2026-05-02 00:00:00+00'";
