//! One file a command.

pub(crate) mod hold;
pub(crate) mod init;
pub(crate) mod status;
