//! Erasure: the rows of a subject, and no others, in an order in which they can all go.

use crate::support::{apply, db, erasure, now, policy, table, when};
use pg_cluster::Major;
use pg_session::Sql;
use retention_plan::holds::HoldRules;
use retention_plan::resolve::{Keys, erasure_tasks, resolve, table_names};
use retention_plan::survey;
use retention_policy::{Erasure, ErasureAction, ErasureTable, OnChildren, Op, Policy, Reach, Scalar, Transform};
use retention_store::hold::Structure;

fn part(of: &str, action: ErasureAction, reach: Reach) -> ErasureTable {
    ErasureTable {
        table: table(of),
        action,
        reach,
        on_children: OnChildren::Keep,
        allow_no_primary_key: false,
    }
}

fn column(name: &str) -> Reach {
    Reach::Column(name.to_owned())
}

fn via(column: &str, of: &str, key: &str, reach: Reach) -> Reach {
    Reach::Via {
        column: column.to_owned(),
        table: table(of),
        key: key.to_owned(),
        reach: Box::new(reach),
    }
}

fn null(columns: &[&str]) -> ErasureAction {
    ErasureAction::Anonymise(
        columns
            .iter()
            .map(|column| ((*column).to_owned(), Transform::Null))
            .collect(),
    )
}

fn shop() -> Policy {
    let mut erasure: Erasure = erasure("users", "Key");
    erasure.subject.requested = vec![when("rtbf", Op::Eq(Scalar::Bool(true)))];
    erasure.subject.completed = Some("done_at".to_owned());
    erasure.tables = vec![
        part("users", null(&["email"]), column("Key")),
        part("orders", ErasureAction::Delete, column("user")),
        part("lines", ErasureAction::Delete, via("o", "orders", "id", column("user"))),
        part(
            "notes",
            null(&["text"]),
            via("l", "lines", "id", via("o", "orders", "id", column("user"))),
        ),
    ];
    Policy {
        erasure: Some(erasure),
        ..policy(Vec::new())
    }
}

const SHOP: &str = "CREATE TABLE users (\"Key\" varchar(40) PRIMARY KEY, email text, rtbf bool, done_at timestamptz);
    CREATE TABLE orders (id int, \"user\" text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE o1 PARTITION OF orders FOR VALUES FROM (0) TO (3);
    CREATE TABLE o2 PARTITION OF orders FOR VALUES FROM (3) TO (9);
    CREATE TABLE lines (id int PRIMARY KEY, o int REFERENCES orders ON DELETE CASCADE);
    CREATE TABLE notes (id bigint PRIMARY KEY, l bigint, text text);
    INSERT INTO users VALUES ('ada', 'a@x', true, NULL), ('b\"}{,\\', 'b@x', NULL, NULL), ('eve', 'e@x', false, NULL), ('NULL', 'n@x', true, NULL);
    INSERT INTO orders VALUES (1, 'ada'), (2, 'eve'), (3, 'ada'), (4, 'b\"}{,\\'), (5, NULL);
    INSERT INTO lines VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, NULL);
    INSERT INTO notes VALUES (1, 1, 'x'), (2, 2, 'x'), (3, 3, 'x'), (4, 4, 'x'), (5, 5, 'x'), (6, NULL, 'x')";

pub async fn everything_of_a_subject_goes_and_nothing_else(major: Major) {
    let db = db(major, SHOP).await;
    let policy = shop();
    let names = table_names(&policy);
    let catalog = retention_plan::catalog::read(&db.session, &names, now()).await.unwrap();
    let erasure = resolve(&policy, &catalog, now(), &Keys::default())
        .unwrap()
        .erasure
        .unwrap();
    let requested =
        Sql::text("SELECT t.\"Key\" FROM public.users AS t WHERE ").append(erasure.requested.as_ref().unwrap());
    assert_eq!(db.session.query(&requested).await.unwrap().len(), 2);
    assert_eq!(erasure.completed.as_ref().unwrap().name, "done_at");
    let tasks = erasure_tasks(&erasure, &["ada".to_owned(), "b\"}{,\\".to_owned()]);
    let order: Vec<&str> = tasks.iter().map(|task| task.rule.as_str()).collect();
    assert_eq!(
        order,
        [
            "erasure:public.notes",
            "erasure:public.lines",
            "erasure:public.orders",
            "erasure:public.users"
        ]
    );
    let mut rows = Vec::new();
    for task in &tasks {
        rows.push(apply(&db.session, task).await);
    }
    assert_eq!(rows, [3, 3, 3, 2]);
    let left = db
        .texts(
            "SELECT string_agg(\"Key\", ',' ORDER BY \"Key\") FROM users WHERE email IS NOT NULL
             UNION ALL SELECT string_agg(id::text, ',' ORDER BY id) FROM orders
             UNION ALL SELECT string_agg(id::text, ',' ORDER BY id) FROM lines
             UNION ALL SELECT string_agg(id::text, ',' ORDER BY id) FROM notes WHERE text IS NOT NULL",
        )
        .await;
    let left: Vec<&str> = left.iter().flatten().map(String::as_str).collect();
    assert_eq!(left, ["NULL,eve", "2,5", "2,5", "2,5,6"]);
    // Nobody is nobody, not everybody.
    for task in erasure_tasks(&erasure, &[]) {
        assert_eq!(apply(&db.session, &task).await, 0);
    }
}

/// Where no column says who is done, those ask of whom rows are left, over as many tables as it takes.
pub async fn subjects_that_ask_are_those_of_whom_something_is_left(major: Major) {
    let db = db(major, SHOP).await;
    let mut policy = shop();
    let of = policy.erasure.as_mut().unwrap();
    of.subject.completed = None;
    let catalog = retention_plan::catalog::read(&db.session, &table_names(&policy), now())
        .await
        .unwrap();
    let erasure = resolve(&policy, &catalog, now(), &Keys::default())
        .unwrap()
        .erasure
        .unwrap();
    let holds = HoldRules::new(&catalog, &policy);
    let mut seen = Vec::new();
    for change in [
        "SELECT",
        "UPDATE public.users SET email = NULL",
        "DELETE FROM public.orders WHERE id = 3",
        // The first order goes with its line, and the note is anonymous.
        "UPDATE public.notes SET text = NULL WHERE id = 1; DELETE FROM public.lines WHERE id = 1; DELETE FROM public.orders WHERE id = 1",
        "INSERT INTO public.orders VALUES (6, 'NULL'), (7, 'eve')",
        "UPDATE public.users SET rtbf = true",
    ] {
        db.session.batch(change).await.unwrap();
        let counted = survey::subjects(&db.session, &holds, &Structure::default(), &erasure)
            .await
            .unwrap()
            .unwrap();
        seen.push((counted.open, counted.total));
    }
    let all = Some(4);
    assert_eq!(
        seen,
        [(2, all), (1, all), (1, all), (0, None), (1, all), (3, all)],
        "NULL has order 6, eve 2 and 7, b 4"
    );
}

pub async fn a_chain_that_does_not_fit_is_told(major: Major) {
    let db = db(major, SHOP).await;
    let mut policy = shop();
    let erasure = policy.erasure.as_mut().unwrap();
    erasure.subject.completed = Some("rtbf".to_owned());
    erasure.subject.requested = vec![when("rtfb", Op::NotNull)];
    erasure.tables[1].reach = column("id");
    erasure.tables[2].reach = via("o", "Orders", "id", column("user"));
    erasure.tables[3].reach = via("text", "lines", "id", via("o", "orders", "id", column("uesr")));
    let catalog = retention_plan::catalog::read(&db.session, &table_names(&policy), now())
        .await
        .unwrap();
    let errors = resolve(&policy, &catalog, now(), &Keys::default()).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let shown = errors.join("\n");
    insta::allow_duplicates! {
        insta::assert_snapshot!(shown, @r#"
    erasure: public.users.rtfb: there is no such column; did you mean rtbf?
    erasure: public.users.rtbf: its type is boolean; expected timestamptz for the time of completion
    erasure: public.orders.id: its type integer cannot hold the subject's key, which is character varying(40)
    erasure: public.Orders: there is no such table; did you mean public.orders?
    erasure: public.orders.uesr: there is no such column; did you mean user?
    "#);
    }
}
