//! Servers that are lost at the worst moments.

use crate::proxy::Proxy;
use crate::world::{EVENTS, EVENTS_DUE, World, anonymise, delete};
use pg_session::Target;
use retention_engine::{EngineError, Options};
use retention_plan::Strategy;
use retention_store::gate;
use std::time::{Duration, Instant};

fn small() -> Options {
    Options {
        batch_target: Duration::from_millis(1),
        ..Options::default()
    }
}

#[tokio::test]
async fn backends_that_are_ended_at_random_lose_and_double_nothing() {
    for (rule, strategy, due) in [
        (delete("events"), Strategy::TidRange, EVENTS_DUE),
        (delete("events"), Strategy::Keyset, EVENTS_DUE),
        (anonymise("events"), Strategy::HotPasses, EVENTS_DUE - 2),
    ] {
        let world = World::new(EVENTS).await;
        let mut running = world.begin(vec![rule], strategy, small()).await;
        let killer = world.cluster.connect(&world.database).await.unwrap();
        let kills = async {
            let mut ended = 0;
            loop {
                tokio::time::sleep(Duration::from_micros(fastrand::u64(500..30_000))).await;
                ended += killer
                    .execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                         AND application_name LIKE 'retention-job%'",
                        &[],
                    )
                    .await
                    .unwrap();
                if ended >= 12 {
                    return;
                }
            }
        };
        let mut result = None;
        tokio::select! {
            got = running.apply() => result = Some(got),
            () = kills => {}
        }
        let Some(result) = result else {
            // The future was dropped with the kills done: begin anew, as a new process would.
            drop(running);
            world.wait_for_lock().await;
            running = world.begin(vec![], strategy, small()).await;
            drop(running);
            let audited = world
                .number("SELECT coalesce(sum(rows), 0)::bigint FROM retention.audit")
                .await;
            assert!(audited.unsigned_abs() <= due);
            continue;
        };
        assert_eq!((result.rows, result.residue), (due, Some(0)), "{strategy:?}");
        world.check_audit(&running.run_id, due).await;
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_back_is_looked_up() {
    let world = World::new(EVENTS).await;
    let proxy = Proxy::start(world.cluster.port()).await;
    let url = world.cluster.url(&world.database);
    let through = Target::parse(&url.replace(&world.cluster.port().to_string(), &proxy.port.to_string())).unwrap();
    let mut running = world
        .begin_through(&through, vec![delete("events")], Strategy::TidRange, small())
        .await;
    // Every third commit is carried out, but the answer is swallowed and the connection cut.
    proxy.swallow_commits(3);
    let result = running.apply().await;
    assert!(proxy.swallowed() > 3, "{} were swallowed", proxy.swallowed());
    assert_eq!((result.rows, result.residue), (EVENTS_DUE, Some(0)));
    world.check_audit(&running.run_id, EVENTS_DUE).await;
}

#[tokio::test]
async fn a_server_that_does_not_come_back_ends_the_run() {
    let world = World::new(EVENTS).await;
    let proxy = Proxy::start(world.cluster.port()).await;
    let url = world.cluster.url(&world.database);
    let through = Target::parse(&url.replace(&world.cluster.port().to_string(), &proxy.port.to_string())).unwrap();
    let mut running = world
        .begin_through(
            &through,
            vec![delete("events")],
            Strategy::TidRange,
            Options {
                reconnect: Duration::from_millis(400),
                ..small()
            },
        )
        .await;
    proxy.cut();
    let error = running
        .engine
        .apply(&running.tasks[0], &crate::world::some())
        .await
        .unwrap_err();
    assert!(matches!(error, EngineError::Lost(_)), "{error:?}");
}

#[tokio::test]
async fn a_run_that_was_replaced_touches_nothing_more() {
    let world = World::new(EVENTS).await;
    let mut running = world.begin(vec![delete("events")], Strategy::TidRange, small()).await;
    let mut progress = running.progress.clone();
    let takes_over = async {
        progress.wait_for(|progress| progress.rows > 0).await.unwrap();
        let session = world.session().await;
        gate::exclusive(&session, Duration::from_secs(5)).await.unwrap();
        session
            .batch("UPDATE retention.gate SET fence = fence + 1 WHERE id = 1; COMMIT")
            .await
            .unwrap();
        world.number("SELECT count(*) FROM events").await
    };
    let task = &running.tasks[0];
    let counted = crate::world::some();
    let (left, ended) = tokio::join!(takes_over, running.engine.apply(task, &counted));
    assert!(matches!(ended, Err(EngineError::Fenced { .. })), "{ended:?}");
    let rows = 20_005 - left;
    assert!(rows.unsigned_abs() < EVENTS_DUE);
    assert_eq!(world.number("SELECT count(*) FROM events").await, left);
    world.check_audit(&running.run_id, rows.unsigned_abs()).await;
}

const WAL_WRITER: &str = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'";

/// A crash: the server starts itself again. Gives the rows by the audit then; nothing of this runtime goes on meanwhile.
fn crash(world: &World, wal_writer: i32) -> i64 {
    world.cluster.kill_backend(wal_writer).unwrap();
    let look = async || {
        let client = world.cluster.connect(&world.database).await.ok()?;
        let pid: i32 = client.query_opt(WAL_WRITER, &[]).await.ok()??.get(0);
        let sql = "SELECT coalesce(sum(rows), 0)::bigint FROM retention.audit";
        let rows: i64 = client.query_one(sql, &[]).await.ok()?.get(0);
        (pid != wal_writer).then_some(rows)
    };
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let deadline = Instant::now() + Duration::from_secs(20);
                loop {
                    if let Some(rows) = look().await {
                        return rows;
                    }
                    assert!(Instant::now() < deadline, "the server does not start again");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        });
        reader.join().unwrap()
    })
}

#[tokio::test]
async fn commits_that_a_crash_took_back_count_for_no_budget() {
    for of_rule in [true, false] {
        // Nobody writes WAL that nobody waits for: no checkpoint, no bgwriter, no vacuum, and a WAL writer that stands still.
        let server = pg_cluster::Options::default()
            .set("wal_buffers", "64MB")
            .set("shared_buffers", "256MB")
            .set("bgwriter_lru_maxpages", "0")
            .set("restart_after_crash", "on")
            .set("autovacuum", "off");
        let world = World::alone(&server, EVENTS).await;
        let wal_writer: i32 = world.admin.query_one(WAL_WRITER, &[]).await.unwrap().get(0);
        let mut rule = delete("events");
        rule.max_rows = of_rule.then_some(5000);
        let options = Options {
            max_rows: (!of_rule).then_some(5000),
            ..small()
        };
        let mut running = world.begin(vec![rule], Strategy::TidRange, options).await;
        let stopped = std::process::Command::new("kill")
            .args(["-STOP", &wal_writer.to_string()])
            .status();
        assert!(stopped.unwrap().success());
        let mut progress = running.progress.clone();
        let crashes = async {
            let told = progress
                .wait_for(|progress| progress.total_rows > 2000)
                .await
                .unwrap()
                .total_rows;
            (told, crash(&world, wal_writer))
        };
        let task = &running.tasks[0];
        let counted = crate::world::some();
        let ((told, audited), result) = tokio::join!(crashes, running.engine.apply(task, &counted));
        assert!(audited.unsigned_abs() < told, "{audited} of {told}: nothing was lost");
        let result = result.unwrap();
        assert_eq!((result.rows, result.residue), (5000, None));
        world.check_audit(&running.run_id, 5000).await;
        assert_eq!(running.engine.total_rows(), 5000);
    }
}
