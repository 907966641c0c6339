//! retention-job: what is due is gone, nothing else is touched, and it can be proved. On a real, temporary PostgreSQL.

mod database;
mod erasure;
mod nights;

use anyhow::Result;
use pg_cluster::Major;

use self::database::Database;
use crate::stage::Stage;

/// Two acts, on one database.
pub(super) async fn play(stage: &mut Stage) {
    prologue(stage);
    if let Err(unavailable) = tokio::task::block_in_place(|| Major::any().ensure()) {
        for promises in [nights::PROMISES, erasure::PROMISES] {
            stage.act("Nights and subjects", "There is no PostgreSQL to work on.", promises);
            stage.not_shown(promises, &unavailable.to_string());
        }
        return;
    }
    let first = stage.next_act();
    if let Err(error) = acts(stage).await {
        stage.broke_off(first, &[nights::PROMISES, erasure::PROMISES], &error);
    }
}

async fn acts(stage: &mut Stage) -> Result<()> {
    let database = Database::start(stage).await?;
    nights::play(stage, &database).await?;
    erasure::play(stage, &database).await
}

fn prologue(stage: &mut Stage) {
    let tell = &mut stage.tell;
    tell.title("What is due is gone, and it can be proved");
    tell.gap();
    tell.paragraph(
        "Personal data may be kept for so long and no longer, and who asks to be forgotten is to be forgotten. retention-job \
         carries that out every night on a live PostgreSQL, in batches of milliseconds, touches nothing else, and leaves \
         receipts that can be verified without the database.",
    );
    let palette = tell.palette();
    let (boxed, name) = (palette.dim("│"), palette.bold("retention-job"));
    let (top, bottom) = (palette.dim("┌─────────────────┐"), palette.dim("└─────────────────┘"));
    tell.picture(&[
        format!("            {top}"),
        format!(
            "  policy ──▶{boxed}  {name}  {boxed}──▶ {} rows + audit row, one transaction",
            palette.bold("PostgreSQL")
        ),
        format!("            {bottom}──▶ {} signed, chained", palette.bold("receipt")),
    ]);
}
