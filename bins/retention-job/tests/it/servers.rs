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

/// Lets everything through, but the server's version is one that is too old.
fn aged(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(std::net::Shutdown::Both);
            });
            std::thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(length @ 1..) = server.read(&mut bytes) {
                    // 150018 becomes 130018: a number of the same length.
                    for at in 1..length.saturating_sub(5) {
                        let is_version = bytes[at] == b'1'
                            && (b'4'..=b'9').contains(&bytes[at + 1])
                            && bytes[at + 2..at + 4] == *b"00"
                            && bytes[at + 4..at + 6].iter().all(u8::is_ascii_digit)
                            && bytes[at - 1] == 6;
                        if is_version {
                            bytes[at + 1] = b'3';
                        }
                    }
                    if client.write_all(&bytes[..length]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    own
}

#[test]
fn a_server_that_is_too_old_is_refused() {
    let world = World::new();
    let port = aged(world.cluster.port());
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
