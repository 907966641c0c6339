//! What the catalog says about the governed tables and everything that foreign keys and partitions tie to them.

mod model;

pub use model::{Catalog, ForeignKey, Index, OnDelete, Partition, Privileges, RelationKind, Server, Table, Trigger};
