//! Owns holds: what must not be touched, whatever a rule says.

use jiff::Timestamp;

/// A column of a table, by names as the catalog has them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct HeldColumn {
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
    /// Column.
    pub column: String,
}

/// A hold. A held row is neither changed nor deleted, nor is a row that refers to a held row, nor one whose deletion would
/// take a held row along.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Hold {
    /// Its number.
    pub id: i64,
    /// Rows whose column has the value; `None`: every row of the subject `value`.
    pub on: Option<HeldColumn>,
    /// The value, as PostgreSQL prints it.
    pub value: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub placed_by: String,
    /// When.
    pub placed_at: Timestamp,
    /// When it was released.
    pub released_at: Option<Timestamp>,
}
