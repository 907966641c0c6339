//! Holds: when they count, how they are kept, and what is refused.

use std::time::Duration;

use pg_session::{Kind, Session};
use retention_store::hold::{self, HeldColumn, HoldError, NewHold};
use retention_store::{Hold, gate};

use crate::support::{Database, PATIENCE};

fn column(schema: &str, table: &str, column: &str) -> HeldColumn {
    HeldColumn {
        schema: schema.to_owned(),
        table: table.to_owned(),
        column: column.to_owned(),
    }
}

fn new<'a>(on: Option<&'a HeldColumn>, value: &'a str) -> NewHold<'a> {
    NewHold {
        on,
        value,
        reason: "case 12",
        placed_by: None,
    }
}

#[tokio::test]
async fn a_hold_waits_for_batches_that_do_not_know_it_and_none_misses_it_later() {
    let (database, session) = Database::ready().await;
    let batch = database.session("batch").await;
    let before = gate::begin(&batch).await.unwrap();
    // Impatient: told, and nothing is left behind.
    let error = hold::add(&session, &new(None, "42"), Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, HoldError::Db(error) if error.kind == Kind::Locked),
        "{error}"
    );
    assert_eq!(hold::active(&batch).await.unwrap(), 0);

    let adding = tokio::spawn(async move { (hold::add(&session, &new(None, "42"), PATIENCE).await.unwrap(), session) });
    database.until_waiting("retention-job").await;
    // A batch that comes now waits behind the hold, and times out: it does not slip through.
    let late = database.session("late").await;
    assert_eq!(gate::begin(&late).await.unwrap_err().kind, Kind::Locked);
    late.rollback().await.unwrap();
    assert!(!adding.is_finished());
    batch.batch("COMMIT").await.unwrap();
    let (placed, _session) = adding.await.unwrap();
    let after = gate::begin(&late).await.unwrap();
    assert_eq!(after.holds_epoch, before.holds_epoch + 1);
    assert!(hold::structure(&late).await.unwrap().subjects);
    late.batch("COMMIT").await.unwrap();
    assert_eq!((placed.value.as_str(), placed.placed_by.as_str()), ("42", "postgres"));
}

#[tokio::test]
async fn a_hold_that_is_written_by_hand_counts_like_any_other() {
    let (database, session) = Database::ready().await;
    // A role that may write holds and nothing else of ours.
    let role = format!("lawyer_{}", database.name);
    session
        .batch(&format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA retention TO {role}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON retention.hold TO {role}"
        ))
        .await
        .unwrap();
    let lawyer = database.session_as(&role).await;
    let batch = database.session("batch").await;
    for (number, statement) in [
        "INSERT INTO retention.hold (value, reason, placed_by) VALUES ('42', 'case 12', 'me'), ('43', 'case 12', 'me')",
        "UPDATE retention.hold SET released_at = now(), released_by = 'me' WHERE value = '42'",
        "DELETE FROM retention.hold",
    ]
    .into_iter()
    .enumerate()
    {
        let before = gate::begin(&batch).await.unwrap();
        assert_eq!(before.holds_epoch, i64::try_from(number).unwrap(), "{statement}");
        // While a batch runs that does not know of it, it waits.
        let error = lawyer.batch(statement).await.unwrap_err();
        assert_eq!(error.kind, Kind::Locked, "{statement}: {error}");
        batch.batch("COMMIT").await.unwrap();
        lawyer.batch(&format!("BEGIN; {statement}")).await.unwrap();
        // Until it is committed, no batch begins.
        assert_eq!(gate::begin(&batch).await.unwrap_err().kind, Kind::Locked, "{statement}");
        batch.rollback().await.unwrap();
        lawyer.batch("COMMIT").await.unwrap();
    }
    let all = "TRUNCATE retention.hold";
    session.batch(all).await.unwrap();
    // Not even where somebody replays what happened elsewhere.
    session
        .batch(&format!("SET session_replication_role = replica; {all}"))
        .await
        .unwrap();
    assert_eq!(gate::peek(&session).await.unwrap().holds_epoch, 5);
    // The function is there for nothing else.
    let error = lawyer.batch("SELECT retention.hold_changed()").await.unwrap_err();
    assert!(error.to_string().contains("trigger"), "{error}");
}

#[tokio::test]
async fn the_snapshot_of_a_batch_is_younger_than_its_lock_whatever_the_role_says() {
    let (database, session) = Database::ready().await;
    for level in ["repeatable read", "serializable"] {
        let batch = database.session("batch").await;
        batch
            .batch(&format!("SET default_transaction_isolation = '{level}'"))
            .await
            .unwrap();
        // Somebody is just placing a hold.
        let epoch = gate::exclusive(&session, PATIENCE).await.unwrap().holds_epoch;
        let waiting = tokio::spawn(async move {
            let gate = gate::begin(&batch).await.unwrap();
            batch.batch("COMMIT").await.unwrap();
            gate
        });
        database.until_waiting("batch").await;
        session
            .batch("UPDATE retention.gate SET holds_epoch = holds_epoch + 1; COMMIT")
            .await
            .unwrap();
        assert_eq!(waiting.await.unwrap().holds_epoch, epoch + 1, "{level}");
    }
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_held() {
    let (_database, session) = Database::ready().await;
    session
        .batch("CREATE TABLE public.\"Orders\" (\"Id\" int, gone int); ALTER TABLE public.\"Orders\" DROP COLUMN gone; CREATE VIEW public.v AS SELECT 1 AS id")
        .await
        .unwrap();
    for (on, no_table) in [
        (column("public", "orders", "Id"), true),
        (column("nowhere", "Orders", "Id"), true),
        (column("public", "v", "id"), true),
        (column("public", "Orders", "id"), false),
        (column("public", "Orders", "gone"), false),
        (column("public", "Orders", "ctid"), false),
        (
            column("public", "Orders\"; DROP TABLE public.\"Orders\"; --", "Id"),
            true,
        ),
    ] {
        let error = hold::add(&session, &new(Some(&on), "1"), PATIENCE).await.unwrap_err();
        assert_eq!(matches!(error, HoldError::NoTable { .. }), no_table, "{on}: {error}");
        assert_eq!(matches!(error, HoldError::NoColumn { .. }), !no_table, "{on}: {error}");
    }
    assert_eq!(hold::active(&session).await.unwrap(), 0);
    assert_eq!(gate::peek(&session).await.unwrap().holds_epoch, 0);
    hold::add(&session, &new(Some(&column("public", "Orders", "Id")), "1"), PATIENCE)
        .await
        .unwrap();
}

#[tokio::test]
async fn values_are_kept_as_the_column_prints_them() {
    let (_database, session) = Database::ready().await;
    session
        .batch(
            "CREATE DOMAIN public.code AS char(4); CREATE DOMAIN public.positive AS int CHECK (VALUE > 0); \
             CREATE TABLE public.t (u uuid, n numeric(10,2), ts timestamptz, b bool, c char(5), d public.code, v varchar(3), \
             p public.positive, j jsonb)",
        )
        .await
        .unwrap();
    for (name, given, kept) in [
        (
            "u",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ),
        ("n", "5", "5.00"),
        ("ts", "2026-01-01T02:00:00+02:00", "2026-01-01 00:00:00+00"),
        ("b", "yes", "true"),
        ("c", "ab   ", "ab"),
        ("d", "x   ", "x"),
        // Longer than the column: it matches nothing, and above all not the row `abc`.
        ("v", "abcdef", "abcdef"),
        ("v", " a", " a"),
        ("p", "007", "7"),
        ("j", "{\"b\":1,\"a\":2}", "{\"a\": 2, \"b\": 1}"),
    ] {
        let placed = hold::add(&session, &new(Some(&column("public", "t", name)), given), PATIENCE)
            .await
            .unwrap();
        assert_eq!(placed.value, kept, "{name}");
        if name != "v" {
            let found: bool = session
                .one(
                    &pg_session::Sql::text(format!("WITH i AS (SELECT CAST({} AS ", pg_session::quote_ident("x")))
                        .raw(format!("{}) AS x FROM (SELECT ", type_of(name)))
                        .param(given, "text")
                        .raw(" AS x) AS y) SELECT x::text = ")
                        .param(kept, "text")
                        .raw(" FROM i"),
                )
                .await
                .unwrap()
                .get(0);
            assert!(found, "{name}: a row with {given} is printed as {kept}");
        }
    }
    for (name, given, type_name) in [
        ("u", "42", "uuid"),
        ("n", "12345678901", "numeric(10,2)"),
        ("p", "-1", "public.positive"),
    ] {
        let error = hold::add(&session, &new(Some(&column("public", "t", name)), given), PATIENCE)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains(&format!("the value is no {type_name}")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_value_in_a_form_that_matches_nothing_is_told() {
    let (_database, session) = Database::ready().await;
    session
        .batch("CREATE TABLE public.t (id int, u uuid, who text, c char(5), n text); CREATE TABLE public.s (key text)")
        .await
        .unwrap();
    let (id, u) = (column("public", "t", "id"), column("public", "t", "u"));
    let mut ids = Vec::new();
    for (on, value) in [
        (None, "04"),
        (None, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
        (None, "7"),
        (Some(column("public", "t", "n")), "007"),
        (Some(column("public", "t", "n")), "8"),
        (Some(column("public", "t", "c")), "x  "),
    ] {
        ids.push(
            hold::add(&session, &new(on.as_ref(), value), PATIENCE)
                .await
                .unwrap()
                .id,
        );
    }
    let told = |found: Vec<hold::Misprinted>| -> Vec<(i64, String, Option<String>, bool)> {
        found
            .into_iter()
            .map(|hold| (hold.id, hold.on.column, hold.printed, hold.subject))
            .collect()
    };
    // Nobody asked where subjects are, and keys that are text are what they are.
    for subjects in [&[][..], &[column("public", "s", "key"), column("public", "gone", "x")]] {
        assert_eq!(misprinted(&session, subjects).await, []);
    }
    assert_eq!(
        told(misprinted(&session, std::slice::from_ref(&id)).await),
        [
            (ids[0], "id".to_owned(), Some("4".to_owned()), true),
            (ids[1], "id".to_owned(), None, true),
        ]
    );
    hold::release(&session, ids[0], None, None, PATIENCE).await.unwrap();
    hold::release(&session, ids[2], None, None, PATIENCE).await.unwrap();
    let small = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".to_owned();
    assert_eq!(
        told(misprinted(&session, &[u]).await),
        [(ids[1], "u".to_owned(), Some(small), true)]
    );
    // The column became another type after its holds were placed.
    session
        .batch("ALTER TABLE public.t ALTER n TYPE int USING n::int")
        .await
        .unwrap();
    let found = misprinted(&session, &[]).await;
    assert_eq!((found.len(), found[0].type_name.as_str()), (1, "integer"));
    assert_eq!(told(found), [(ids[3], "n".to_owned(), Some("7".to_owned()), false)]);
}

async fn misprinted(session: &Session, subjects: &[HeldColumn]) -> Vec<hold::Misprinted> {
    let active = hold::structure(session).await.unwrap();
    hold::misprinted(session, &active, subjects).await.unwrap()
}

fn type_of(name: &str) -> &'static str {
    match name {
        "u" => "uuid",
        "n" => "numeric(10,2)",
        "ts" => "timestamptz",
        "b" => "bool",
        "c" => "char(5)",
        "d" => "public.code",
        "p" => "public.positive",
        _ => "jsonb",
    }
}

#[tokio::test]
async fn holds_are_listed_released_and_summed_up() {
    let (_database, session) = Database::ready().await;
    session.batch("CREATE TABLE public.t (id int, x int)").await.unwrap();
    let id = column("public", "t", "id");
    let x = column("public", "t", "x");
    let mut placed: Vec<Hold> = Vec::new();
    for (on, value) in [(Some(&id), "1"), (Some(&id), "2"), (Some(&x), "1"), (None, "subject")] {
        placed.push(hold::add(&session, &new(on, value), PATIENCE).await.unwrap());
    }
    let structure = hold::structure(&session).await.unwrap();
    assert_eq!(structure.columns, [id.clone(), x.clone()]);
    assert!(structure.subjects && structure.dangling.is_empty());
    assert_eq!(gate::peek(&session).await.unwrap().holds_epoch, 4);

    let released = hold::release(&session, placed[0].id, Some("judge"), Some("over"), PATIENCE)
        .await
        .unwrap();
    assert!(released.released_at.is_some());
    assert_eq!(gate::peek(&session).await.unwrap().holds_epoch, 5);
    let error = hold::release(&session, placed[0].id, None, None, PATIENCE)
        .await
        .unwrap_err();
    assert!(matches!(error, HoldError::Released { .. }), "{error}");
    let error = hold::release(&session, 4711, None, None, PATIENCE).await.unwrap_err();
    assert!(matches!(error, HoldError::NoHold { id: 4711 }), "{error}");
    assert_eq!(gate::peek(&session).await.unwrap().holds_epoch, 5);

    assert_eq!(hold::active(&session).await.unwrap(), 3);
    assert_eq!(hold::list(&session, false, 0, 10).await.unwrap(), placed[1..]);
    assert_eq!(hold::list(&session, true, 0, 1).await.unwrap(), [released]);
    assert_eq!(hold::list(&session, true, placed[1].id, 10).await.unwrap(), placed[2..]);

    // A value of any length.
    let long = "x".repeat(100_000);
    let kept = hold::add(&session, &new(None, &long), PATIENCE).await.unwrap();
    assert_eq!(kept.value, long);

    // A hold by a name that is gone protects nothing: it is told.
    session
        .batch("ALTER TABLE public.t RENAME COLUMN x TO y")
        .await
        .unwrap();
    let structure = hold::structure(&session).await.unwrap();
    assert_eq!((structure.columns, structure.dangling), (vec![id], vec![x]));
}

#[tokio::test]
async fn a_session_can_pass_the_gate_for_what_cannot_be_in_a_transaction() {
    let (database, session) = Database::ready().await;
    let detaching = database.session("detaching").await;
    gate::enter_session(&detaching).await.unwrap();
    let error = hold::add(&session, &new(None, "1"), Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(matches!(error, HoldError::Db(_)), "{error}");
    gate::leave_session(&detaching).await.unwrap();
    hold::add(&session, &new(None, "1"), PATIENCE).await.unwrap();
}
