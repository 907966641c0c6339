//! Servers that will not do.

use crate::world::World;
use pg_cluster::Options;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

#[test]
fn a_standby_is_refused() {
    let world = World::new();
    let standby = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let standby = world.cluster.standby(&Options::default()).await.expect("a standby");
        world.cluster.wait_for_standby(&standby).await.expect("it follows");
        standby
    });
    let url = world
        .url()
        .replace(&format!(":{}/", world.cluster.port()), &format!(":{}/", standby.port()));
    for args in [
        &["run"][..],
        &["erase", "--subject", "1"],
        &["init"],
        &["hold", "add", "--subject", "1", "--reason", "x"],
    ] {
        let said = world.refused(world.job(args).env("DATABASE_URL", &url), 2);
        assert!(
            said.contains("standby") || said.contains("read-only"),
            "{args:?}: {said}"
        );
    }
    let said = world.refused(world.job(["run"]).env("DATABASE_URL", &url), 2);
    insta::assert_snapshot!(said);
    let address = format!("{url}?target_session_attrs=read-write");
    let said = world.refused(world.job(["run"]).env("DATABASE_URL", address), 2);
    assert!(said.contains("it is a standby"), "{said}");
}

#[test]
fn a_role_that_may_only_read_is_refused() {
    let world = World::new();
    world.sql("ALTER ROLE job SET default_transaction_read_only = on");
    let said = world.refused(&mut world.job(["run"]), 2);
    insta::assert_snapshot!(said);
}

/// Lets everything through, but for the server's version: it is one that is too old. Both numbers have the same length,
/// as text and as binary.
fn aged(world: &World) -> u16 {
    let version: u32 = world.value("SHOW server_version_num").parse().unwrap();
    let old = 130_000 + version % 10_000;
    let changes: [(Vec<u8>, Vec<u8>); 2] = [
        (version.to_string().into_bytes(), old.to_string().into_bytes()),
        // With the length before it, so that nothing else is meant.
        (
            [4_u32.to_be_bytes(), version.to_be_bytes()].concat(),
            [4_u32.to_be_bytes(), old.to_be_bytes()].concat(),
        ),
    ];
    let port = world.cluster.port();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            pass(&client, &server, Vec::new());
            pass(&server, &client, changes.to_vec());
        }
    });
    own
}

/// Passes on what comes, in a thread, with changes.
fn pass(from: &TcpStream, to: &TcpStream, changes: Vec<(Vec<u8>, Vec<u8>)>) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            for (what, instead) in &changes {
                for at in 0..length.saturating_sub(what.len() - 1) {
                    if bytes[at..at + what.len()] == what[..] {
                        bytes[at..at + what.len()].copy_from_slice(instead);
                    }
                }
            }
            if to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}

#[test]
fn a_server_that_is_too_old_is_refused() {
    let world = World::new();
    let port = aged(&world);
    let url = world
        .url()
        .replace(&format!(":{}/", world.cluster.port()), &format!(":{port}/"));
    for args in [&["run"][..], &["plan"], &["init"], &["erase", "--subject", "1"]] {
        let said = world.refused(world.job(args).env("DATABASE_URL", &url), 2);
        assert!(said.contains("PostgreSQL 1") && said.contains("14"), "{args:?}: {said}");
    }
}

#[test]
fn a_server_that_wants_tls_is_served_with_it() {
    let options = Options::default()
        .password(crate::world::PASSWORD)
        .tls(pg_cluster::Tls::default())
        .hba("hostnossl all all all reject");
    let world = World::with(&options);
    let said = world.refused(
        world.job(["run"]).env("DATABASE_URL", world.url() + "?sslmode=disable"),
        2,
    );
    assert!(said.contains("TLS") || said.contains("pg_hba"), "{said}");
    let said = world.refused(
        world
            .job(["run"])
            .env("DATABASE_URL", world.url() + "?sslmode=verify-full"),
        2,
    );
    assert!(said.contains("sslrootcert"), "{said}");
    let ca = world.cluster.ca().unwrap();
    let url = format!(
        "{}?sslmode=verify-full&channel_binding=require&sslrootcert={}",
        world.url(),
        ca.display()
    );
    let ended = program::run(world.job(["run"]).env("DATABASE_URL", url));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    world.said(&ended);
}
