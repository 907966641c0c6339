//! What the catalog says about the governed tables and everything that foreign keys and partitions tie to them.

mod bounds;
mod model;
mod queries;
mod read;

pub use model::{Catalog, ForeignKey, Index, OnDelete, Partition, Privileges, RelationKind, Server, Table, Trigger};
pub use read::{ReadError, read};
