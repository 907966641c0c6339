//! One file a command.

pub(crate) mod hold;
pub(crate) mod init;
pub(crate) mod lint;
pub(crate) mod plan;
pub(crate) mod receipts;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod status;
