//! `array_literal` and quoted names, against the server that reads them.

use crate::support::{self, Server};
use pg_session::{Sql, array_literal};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn element() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("NULL".to_owned()),
        Just("null".to_owned()),
        Just(String::new()),
        Just(" ".to_owned()),
        r#"[{}",\\ a'%$\n\t]{0,8}"#,
        "[^\0]{0,12}",
    ]
}

#[tokio::test]
async fn arrays_come_back_as_they_were() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    let mut runner = TestRunner::default();
    for _ in 0..300 {
        let values = proptest::collection::vec(element(), 0..6)
            .new_tree(&mut runner)
            .expect("values")
            .current();
        let sql = Sql::text("SELECT ").param(array_literal(&values), "pg_catalog.text[]");
        let back: Vec<String> = session.one(&sql).await.expect("row").get(0);
        assert_eq!(back, values);
    }
    let tids = Sql::text("SELECT (")
        .param(array_literal(["(0,1)", "(7,65535)"]), "pg_catalog.tid[]")
        .raw(")::text");
    let back: String = session.one(&tids).await.expect("row").get(0);
    assert_eq!(back, r#"{"(0,1)","(7,65535)"}"#);
}

#[tokio::test]
async fn names_come_back_as_they_were() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    session.batch("CREATE TABLE public.victim (n int)").await.expect("made");
    let mut runner = TestRunner::default();
    let hostile = [
        "x\"; drop table public.victim; --",
        "$1",
        "'",
        "\\",
        "a b",
        "Ünïcode",
        "select",
        "\u{202e}x",
    ];
    // Names are cut after 63 bytes.
    let random = (0..100).map(|_| "[^\0]{1,12}".new_tree(&mut runner).expect("name").current());
    for name in hostile.map(str::to_owned).into_iter().chain(random) {
        let sql = Sql::text("SELECT 1 AS ").ident(&name);
        let row = session.one(&sql).await.expect(&name);
        assert_eq!(row.columns()[0].name(), name);
        let made = Sql::text("CREATE TEMPORARY TABLE ").ident(&name).raw(" (n int)");
        session.batch(&made.render().0).await.expect(&name);
        let dropped = Sql::text("DROP TABLE pg_temp.").ident(&name);
        session.batch(&dropped.render().0).await.expect(&name);
    }
    session.batch("SELECT * FROM public.victim").await.expect("still there");
}
