//! Owns what a case is made of: tables, rows, rules, holds. Plain data; every table has the same columns in the same
//! places, under names of its own.

/// Places of columns in a row. Foreign keys' columns come after them.
pub mod at {
    /// Unique number.
    pub const ID: usize = 0;
    /// Second part of a composite key; unique together with the first.
    pub const KEY2: usize = 1;
    /// What an age counts from.
    pub const AGE: usize = 2;
    /// One of a few words.
    pub const STATE: usize = 3;
    /// A number.
    pub const AMOUNT: usize = 4;
    /// Whose row it is.
    pub const SUBJECT: usize = 5;
    /// Text.
    pub const EMAIL: usize = 6;
    /// Varchar.
    pub const PHONE: usize = 7;
    /// inet.
    pub const IP: usize = 8;
    /// Text with an address, or not.
    pub const IP_TEXT: usize = 9;
    /// date.
    pub const BORN: usize = 10;
    /// timestamptz or timestamp.
    pub const SEEN: usize = 11;
    /// Generated from the number.
    pub const GENERATED: usize = 12;
    /// Where foreign keys' columns begin.
    pub const FIRST_KEY: usize = 13;
}

/// A moment in microseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// `-infinity`.
    Before,
    /// A moment.
    At(i64),
    /// `infinity`.
    After,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Val {
    /// NULL.
    Null,
    /// A number.
    Int(i64),
    /// Text, also addresses.
    Text(String),
    /// Time of any kind.
    Time(Moment),
}

/// A type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// int
    Int,
    /// text
    Text,
    /// varchar(80)
    Varchar,
    /// inet
    Inet,
    /// date
    Date,
    /// timestamp
    Stamp,
    /// timestamptz
    StampTz,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// As in the catalog.
    pub name: String,
    /// Its type, or what its domain is over.
    pub kind: Kind,
    /// Through a domain.
    pub domain: bool,
    /// NOT NULL.
    pub not_null: bool,
    /// Default, as text.
    pub default: Option<i64>,
}

/// What happens to a row when the row that it refers to goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// Refuses.
    NoAction,
    /// Refuses.
    Restrict,
    /// Goes too.
    Cascade,
    /// NULL.
    SetNull,
    /// The column's default.
    SetDefault,
}

/// A foreign key.
#[derive(Debug, Clone)]
pub struct ForeignKey {
    /// Position of the table that it refers to.
    pub parent: usize,
    /// Columns here.
    pub ours: Vec<usize>,
    /// Columns there.
    pub theirs: Vec<usize>,
    /// What happens.
    pub on_delete: OnDelete,
    /// There is an index.
    pub indexed: bool,
}

/// A partition without partitions.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Its name.
    pub name: String,
    /// SQL that makes it.
    pub sql: String,
    /// Rows are before this; `None`: without end, or the default partition.
    pub upper: Option<i64>,
    /// And not before this.
    pub lower: Option<i64>,
}

/// Partitions.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Those that hold rows, and those between.
    pub leaves: Vec<Leaf>,
    /// There is a default partition.
    pub default: bool,
    /// By hash of the number, not by range of the age.
    pub hash: bool,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Columns, see [`at`].
    pub columns: Vec<Column>,
    /// In the order in which they are created.
    pub physical: Vec<usize>,
    /// Has a primary key.
    pub primary_key: bool,
    /// Partitioned.
    pub parts: Option<Parts>,
    /// Foreign keys.
    pub keys: Vec<ForeignKey>,
    /// An index on the age.
    pub age_index: bool,
    /// An index on another column.
    pub other_index: Option<usize>,
    /// Fill factor of pages.
    pub fillfactor: Option<u8>,
    /// ANALYZE before the run.
    pub analyse: bool,
    /// Rows in the order of their age.
    pub rows: Vec<Vec<Val>>,
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// `eq`
    Eq(Val),
    /// `ne`
    Ne(Val),
    /// `lt`
    Lt(i64),
    /// `le`
    Le(i64),
    /// `gt`
    Gt(i64),
    /// `ge`
    Ge(i64),
    /// `in`
    In(Vec<Val>),
    /// `not_in`
    NotIn(Vec<Val>),
    /// `is_null`
    IsNull,
    /// `not_null`
    NotNull,
}

/// What a column becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transform {
    /// NULL.
    Null,
    /// Always this.
    Constant(String),
    /// HMAC-SHA-256.
    Hmac,
    /// Network.
    TruncateIp {
        /// Bits.
        v4: u8,
        /// Bits.
        v6: u8,
    },
    /// Beginning of a unit.
    Generalise(&'static str),
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Rows go.
    Delete,
    /// Partitions are detached.
    Detach,
    /// Columns change.
    Anonymise(Vec<(usize, Transform)>),
}

/// How long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Of 24 hours.
    Days(i64),
    /// Of the calendar.
    Months(i64),
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Position of the table.
    pub table: usize,
    /// What is done.
    pub action: Action,
    /// From when on.
    pub age: Option<Term>,
    /// Conditions.
    pub conditions: Vec<(usize, Op)>,
    /// `on_children: cascade`.
    pub cascade: bool,
    /// Rows a run.
    pub max_rows: Option<u64>,
    /// Names the subject column.
    pub subject: bool,
}

/// A hold.
#[derive(Debug, Clone)]
pub enum Hold {
    /// Of a subject.
    Subject(String),
    /// Table, column, value.
    Value(usize, usize, String),
}

/// One table of an erasure.
#[derive(Debug, Clone)]
pub struct Reached {
    /// Position of the table.
    pub table: usize,
    /// What is done with a subject's rows.
    pub action: Action,
    /// `on_children: cascade`.
    pub cascade: bool,
    /// Foreign keys from the row to the row with the subject, by their positions in each table; none: the row has it.
    pub way: Vec<usize>,
}

/// The right to be forgotten. The subject column of its table is the key.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// Position of the table with the requests.
    pub requests: usize,
    /// Conditions of a request.
    pub requested: Vec<(usize, Op)>,
    /// Column of the time of completion.
    pub completed: usize,
    /// Tables with rows of subjects.
    pub tables: Vec<Reached>,
}

/// A database, a policy, holds.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it was made from.
    pub seed: u64,
    /// Microseconds.
    pub as_of: i64,
    /// Seconds.
    pub grace: i64,
    /// The database's time zone.
    pub zone: &'static str,
    /// Tables; foreign keys lead to the same or an earlier one.
    pub tables: Vec<Table>,
    /// Rules.
    pub rules: Vec<Rule>,
    /// Holds.
    pub holds: Vec<Hold>,
    /// The right to be forgotten.
    pub erasure: Option<Erasure>,
}

/// Key of HMACs.
pub const HMAC_KEY: &str = "a key that is long enough to be one";
/// What the model says of a time that only the run knows.
pub const NOW: &str = "now";
/// When requests that were completed before the run were.
pub const LONG_AGO: i64 = 1_600_000_000_000_000;
/// Microseconds.
pub const HOUR: i64 = 3_600_000_000;
/// Microseconds.
pub const DAY: i64 = 24 * HOUR;
