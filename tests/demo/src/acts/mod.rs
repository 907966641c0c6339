//! The acts, one file a tool (with a folder of its own where there is much to show). A new tool adds a module and a
//! line in [`play`].

mod gate;
mod policy;
mod retention;

use crate::stage::Stage;

/// Plays everything. What goes wrong is told and written down, so this has no result.
pub(crate) async fn play(stage: &mut Stage) {
    policy::play(stage).await;
    gate::play(stage).await;
    retention::play(stage).await;
}
