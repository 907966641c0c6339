//! Owns databases of their own for tests, on servers that tests share.

use pg_cluster::{Cluster, Major, Options};
use pg_session::Session;
use pg_session::target::{SessionOptions, Target};
use retention_plan::catalog::{Catalog, read};
use retention_policy::{
    Action, Age, Condition, Erasure, Guards, OnChildren, Policy, Rule, SubjectTable, TableName, Term, Transform,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

static CLUSTERS: Mutex<Option<HashMap<Major, Weak<Cluster>>>> = Mutex::new(None);
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of its own, and a session as the program has it.
pub struct Db {
    cluster: Arc<Cluster>,
    name: String,
    pub session: Session,
}

/// The server ends with the last test that uses it.
fn cluster(major: Major) -> Arc<Cluster> {
    let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let clusters = clusters.get_or_insert_with(HashMap::new);
    if let Some(running) = clusters.get(&major).and_then(Weak::upgrade) {
        return running;
    }
    let started = Arc::new(Cluster::start(major, &Options::default()).unwrap());
    clusters.insert(major, Arc::downgrade(&started));
    started
}

/// A database with these statements run in it.
pub async fn db(major: Major, sql: &str) -> Db {
    let cluster = cluster(major);
    let name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    cluster.create_database(&name).await.unwrap();
    cluster.execute(&name, sql).await.unwrap();
    let session = connect(&cluster.url(&name)).await;
    Db { cluster, name, session }
}

async fn connect(url: &str) -> Session {
    let target = Target::parse(url).unwrap();
    target
        .connect(&SessionOptions::new("retention-plan test"))
        .await
        .unwrap()
}

impl Db {
    /// As another user, who must exist.
    pub async fn session_of(&self, user: &str) -> Session {
        connect(&self.cluster.url(&self.name).replace("postgres@", &format!("{user}@"))).await
    }

    /// Runs statements, with the default search path.
    pub async fn run(&self, sql: &str) {
        self.cluster.execute(&self.name, sql).await.unwrap();
    }

    /// The first column of every row, as text.
    pub async fn texts(&self, sql: &str) -> Vec<Option<String>> {
        let client = self.cluster.connect(&self.name).await.unwrap();
        client.batch_execute("SET TimeZone = 'UTC'").await.unwrap();
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub async fn catalog(&self, names: &[&str]) -> Catalog {
        let names: Vec<TableName> = names.iter().map(|name| table(name)).collect();
        read(&self.session, &names, now()).await.unwrap()
    }
}

pub fn now() -> jiff::Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// `schema.name`, or a name in `public`.
pub fn table(name: &str) -> TableName {
    let (schema, name) = name.split_once('.').unwrap_or(("public", name));
    TableName {
        schema: schema.to_owned(),
        name: name.to_owned(),
    }
}

pub fn policy(rules: Vec<Rule>) -> Policy {
    Policy {
        revision: None,
        grace_seconds: 0,
        legal_hold_labels: Vec::new(),
        rules,
        erasure: None,
        guards: Guards::default(),
    }
}

/// Deletes whatever its age; to be given an age or conditions.
pub fn rule(name: &str, of: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        table: table(of),
        action: Action::Delete,
        age: None,
        conditions: Vec::new(),
        max_rows: None,
        max_fraction: None,
        on_children: OnChildren::Keep,
        labels_column: None,
        subject_column: None,
        allow_no_primary_key: false,
        allow_unindexed_foreign_keys: false,
        keep_columns: None,
    }
}

/// Deletes what is older than so many days.
pub fn aged(name: &str, of: &str, column: &str, days: u32) -> Rule {
    Rule {
        age: Some(Age {
            column: column.to_owned(),
            term: Term::Days(days),
        }),
        ..rule(name, of)
    }
}

pub fn anonymise(rule: Rule, transforms: &[(&str, Transform)]) -> Rule {
    let transforms: BTreeMap<String, Transform> = transforms
        .iter()
        .map(|(column, transform)| ((*column).to_owned(), transform.clone()))
        .collect();
    Rule {
        action: Action::Anonymise(transforms),
        ..rule
    }
}

pub fn when(column: &str, op: retention_policy::Op) -> Condition {
    Condition {
        column: column.to_owned(),
        op,
    }
}

pub fn erasure(subject: &str, key: &str) -> Erasure {
    Erasure {
        max_fraction: None,
        subject: SubjectTable {
            table: table(subject),
            key: key.to_owned(),
            requested: Vec::new(),
            completed: None,
        },
        tables: Vec::new(),
    }
}

/// The ids (column `id`) of the rows that are to be done, in order.
pub async fn todo(session: &Session, task: &retention_plan::Task) -> Vec<i32> {
    let sql = pg_session::Sql::text(format!("SELECT t.id FROM {} AS t WHERE ", task.table.quoted()))
        .append(&task.todo())
        .raw(" ORDER BY 1");
    ids(session, &sql).await
}

/// Those of them that others refer to.
pub async fn blocked(session: &Session, task: &retention_plan::Task) -> Vec<i32> {
    let sql = pg_session::Sql::text(format!("SELECT t.id FROM {} AS t WHERE ", task.table.quoted()))
        .append(&task.todo())
        .and(task.blocked.as_ref().unwrap())
        .raw(" ORDER BY 1");
    ids(session, &sql).await
}

async fn ids(session: &Session, sql: &pg_session::Sql) -> Vec<i32> {
    let rows = session.query(sql).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Applies the task to every leaf; gives the number of rows.
pub async fn apply(session: &Session, task: &retention_plan::Task) -> u64 {
    use pg_session::Sql;
    let mut rows = 0;
    for leaf in &task.leaves {
        let name = leaf.relation.quoted();
        let head = match &task.work {
            retention_plan::Work::Anonymise { set, .. } => {
                Sql::text(format!("UPDATE ONLY {name} AS t SET ")).append(set)
            }
            _ => Sql::text(format!("DELETE FROM ONLY {name} AS t")),
        };
        let mut sql = head.raw(" WHERE ").append(&task.todo());
        if let Some(blocked) = &task.blocked {
            sql = sql.raw(" AND NOT (").append(blocked).raw(")");
        }
        rows += session.execute(&sql).await.unwrap();
    }
    rows
}
