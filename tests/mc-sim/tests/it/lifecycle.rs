//! Stopping and starting again on the same port.

use mc_sim::{Endpoint, Fault, PACK_ID, Packs, Sim, SimConfig};

use crate::support::{client, pack, sim};

#[tokio::test]
async fn a_stopped_simulator_refuses_and_comes_back_with_all_it_had() {
    let sim = sim();
    let client = client();
    assert_eq!(client.get(sim.pack_url(PACK_ID)).send().await.unwrap().status(), 200);
    for _ in 0..3 {
        sim.stop();
        let error = client.get(sim.pack_url(PACK_ID)).send().await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        sim.restart().unwrap();
        assert_eq!(client.get(sim.pack_url(PACK_ID)).send().await.unwrap().status(), 200);
    }
    assert_eq!(sim.requests().count(Endpoint::Pack, 200), 4);
}

#[tokio::test]
async fn stopping_ends_a_body_that_is_being_sent() {
    let sim = sim();
    sim.set_fault(Fault::SlowDrip { bytes_per_sec: 0 });
    let mut response = pack(&sim).await;
    sim.stop();
    assert!(response.chunk().await.is_err());
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_names_it() {
    let sim = sim();
    let config = SimConfig {
        listen: Some(sim.addr()),
        ..SimConfig::default()
    };
    let error = format!("{:#}", Sim::start(config).err().unwrap());
    assert!(error.contains(&sim.addr().to_string()), "{error}");
}

#[tokio::test]
async fn a_folder_is_published_at_start() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/packs/v1");
    let sim = Sim::start(SimConfig {
        packs: Some(Packs::new(folder)),
        ..SimConfig::default()
    })
    .unwrap();
    assert_eq!(pack(&sim).await.bytes().await.unwrap(), crate::support::sample(1).tar);
    let nothing = SimConfig {
        packs: Some(Packs::new("/nonexistent/packs")),
        ..SimConfig::default()
    };
    assert!(format!("{:#}", Sim::start(nothing).err().unwrap()).contains("/nonexistent/packs"));
}
