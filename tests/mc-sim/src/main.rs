//! MC as a server, by hand: packs from a folder, published, signed, and broken on demand.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use mc_sim::{PACK_ID, Packs, Sim, SimConfig};
use pack_verify::sign::Signer;

/// Serves policy packs and evidence as MC does, with faults on demand.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "MC_SIM_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// A pack (a folder with `opa` in it), or a folder with one folder a pack, named by the pack's id
    #[arg(long, env = "MC_SIM_PACKS", value_name = "DIR")]
    packs: Option<PathBuf>,
    /// Private key (PEM, PKCS#8, ECDSA P-256 or Ed25519) that signs what is published
    #[arg(long, env = "MC_SIM_SIGN_KEY", value_name = "PEM")]
    sign_key: Option<PathBuf>,
    /// Token that requests to MC's endpoints must carry
    #[arg(long, env = "MC_SIM_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Send the attestation along with the pack, in the header X-Cosign-Bundle
    #[arg(long, env = "MC_SIM_INLINE_BUNDLE")]
    inline_bundle: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let signer = args.sign_key.as_deref().map(read_key).transpose()?;
    let sim = Sim::start(SimConfig {
        listen: Some(args.listen),
        bearer: args.token,
        inline_bundle: args.inline_bundle,
        signer,
        packs: args.packs.map(Packs::new),
    })?;
    let mut out = std::io::stdout();
    out.write_all(banner(&sim).as_bytes())
        .and_then(|()| out.flush())
        .context("writing to stdout")?;
    terminated().await
}

fn read_key(path: &std::path::Path) -> Result<Signer> {
    let pem = std::fs::read_to_string(path).with_context(|| format!("reading the key {}", path.display()))?;
    Signer::from_pem(&pem).with_context(|| format!("using the key {}", path.display()))
}

fn banner(sim: &Sim) -> String {
    let (url, pack) = (sim.url(), sim.pack_url(PACK_ID));
    format!(
        "{url}\n\n\
         curl -i {pack}\n\
         curl -i {pack}/attestation\n\
         curl {url}/control/packs                                                   # what is published\n\
         curl --data-binary @pack.tar {url}/control/packs/{PACK_ID}            # publish (and sign, with --sign-key)\n\
         curl {url}/graphql -H 'content-type: application/json' -d '{{\"query\":\"{{ __typename }}\"}}'\n\
         curl {url}/control/evidence                                                # what was published\n\
         curl -X POST {url}/control/reload                                          # read the folder again\n\
         curl -d '{{\"fault\":\"latency\",\"ms\":500,\"count\":3}}' {url}/control/faults  # switch a fault on\n\
         curl -X DELETE {url}/control/faults                                        # switch all faults off\n\
         curl {url}/control/requests                                                # what clients asked for\n"
    )
}

/// Waits for SIGTERM or SIGINT.
async fn terminated() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
