//! Owns the server that all tests share, and a database for each.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use pg_cluster::{Cluster, Major, Options};
use pg_session::target::{SessionOptions, Target};
use pg_session::{Session, Sql};
use retention_proof::{AuditRow, ChainHash};
use retention_store::run::{NewRun, RunKind};
use retention_store::{Run, audit, gate, run};

/// Nothing in these tests waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The server lives as long as somebody uses it. A thread that never ends has started it, because its programs end with
/// the thread that started them.
fn cluster() -> Arc<Cluster> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    if let Some(cluster) = shared.upgrade() {
        return cluster;
    }
    let (give, take) = mpsc::channel();
    std::thread::spawn(move || {
        give.send(Arc::new(Cluster::start(Major::any(), &Options::default()).unwrap()))
            .unwrap();
        loop {
            std::thread::park();
        }
    });
    let cluster = take.recv().unwrap();
    *shared = Arc::downgrade(&cluster);
    cluster
}

pub(crate) struct Database {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) name: String,
}

impl Database {
    /// An empty database.
    pub(crate) async fn empty() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let cluster = cluster();
        let name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        cluster.create_database(&name).await.unwrap();
        Self { cluster, name }
    }

    /// With the layout.
    pub(crate) async fn ready() -> (Self, Session) {
        let database = Self::empty().await;
        let session = database.session("retention-job").await;
        retention_store::ensure(&session).await.unwrap();
        (database, session)
    }

    pub(crate) async fn session(&self, name: &str) -> Session {
        self.open(&self.cluster.url(&self.name), name).await
    }

    pub(crate) async fn session_as(&self, role: &str) -> Session {
        let url = self
            .cluster
            .url(&self.name)
            .replace("//postgres@", &format!("//{role}@"));
        self.open(&url, "retention-job").await
    }

    pub(crate) async fn open(&self, url: &str, name: &str) -> Session {
        let mut options = SessionOptions::new(name);
        options.lock_timeout = Duration::from_millis(200);
        Target::parse(&format!("{url}?sslmode=disable"))
            .unwrap()
            .connect(&options)
            .await
            .unwrap()
    }

    /// Waits until a session of this name waits for an advisory lock.
    pub(crate) async fn until_waiting(&self, name: &str) {
        let watcher = self.session("watcher").await;
        let sql = Sql::text(
            "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid \
             WHERE NOT l.granted AND l.locktype = 'advisory' AND a.application_name = ",
        )
        .param(name, "text");
        for _ in 0..1000 {
            if watcher.one(&sql).await.unwrap().get::<_, i64>(0) > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name} never waited");
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) async fn begin(session: &Session) -> Run {
    run::begin(
        session,
        &NewRun {
            kind: RunKind::Run,
            as_of: at("2026-01-01T00:00:00Z"),
            policy_digest: "abc",
            tool_version: "1.2.3",
        },
        PATIENCE,
    )
    .await
    .unwrap()
}

pub(crate) fn row(run: &Run, seq: u64) -> AuditRow {
    AuditRow {
        run_id: run.run_id.clone(),
        seq,
        rule: "old \"events\"'; drop table x; --".to_owned(),
        table_name: "public.Mixed \u{e9}vents".to_owned(),
        action: "delete".to_owned(),
        rows: seq * 10,
        cascaded: seq,
        cutoff: (seq % 2 == 1).then(|| at("2025-12-31T23:59:59.999999999Z")),
        started_at: at("2026-01-01T00:00:00.123456789Z"),
        finished_at: at("1969-12-31T23:59:59.999999500Z"),
        policy_digest: "abc".to_owned(),
        strategy: "keyset".to_owned(),
        position: (seq > 1).then(|| format!("({seq},1)")),
    }
}

/// Writes rows `from..=to` as batches do; gives the links.
pub(crate) async fn write(session: &Session, run: &Run, from: u64, to: u64, mut link: ChainHash) -> Vec<ChainHash> {
    let mut links = Vec::new();
    for seq in from..=to {
        assert_eq!(gate::begin(session).await.unwrap().fence, run.fence);
        let row = row(run, seq);
        link = row.link(link);
        audit::append(session, &row, link).await.unwrap();
        session.batch("COMMIT").await.unwrap();
        links.push(link);
    }
    links
}
