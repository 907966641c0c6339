//! dev
#[path = "../support/mod.rs"]
mod support;
fn main() {
    for (name, doc) in support::examples::all() {
        std::fs::write(format!("/tmp/report-{name}.html"), load_report::render::html(&doc)).unwrap();
    }
}
