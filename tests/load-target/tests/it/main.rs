//! The target over real sockets: what it says it does is what clients see, and what its log says is what happened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod binary;
mod client;
mod http1;
mod http2;
mod limits;
mod timing;
