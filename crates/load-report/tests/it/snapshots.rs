//! Text as people see it, kept as snapshots.

use crate::support::examples;
use load_report::render;

#[test]
fn tables() {
    for (name, doc) in examples::all() {
        insta::assert_snapshot!(format!("table_{name}"), render::table(&doc, false, 80));
    }
    insta::assert_snapshot!(
        "table_coloured",
        render::table(&examples::failing(), true, 100).replace('\x1b', "␛")
    );
}
