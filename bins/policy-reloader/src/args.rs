//! Owns the command line: every option with its variable, and nothing else.

#![allow(
    rustdoc::bare_urls,
    rustdoc::invalid_html_tags,
    reason = "the comments on options are the text of --help, where markup would be noise"
)]

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use runtime::{
    Secret,
    args::{AdminArgs, HttpArgs, LogArgs, OutputArgs},
};

use trust_args::TrustArgs;

use crate::preflight::{RegoChoice, UnreadableRego};

const EXAMPLES: &str = "\
Examples:
  Follow MC, packs signed with a key, OPA as it stands:
    policy-reloader --pack-url https://mc.example.com/v1/policy/packs/policy-pack-v0 --trust key --key mc.pub \\
      --insecure-ignore-tlog
  See what a pack is and whether it would be accepted:
    policy-reloader verify pack.tar --bundle pack.sigstore.json --trust key --key mc.pub --insecure-ignore-tlog
  The OPA configuration for bundle mode (atomic, recommended):
    policy-reloader opa-config > opa.yaml && opa run --server --config-file opa.yaml

Exit codes: 0 done, 1 pack refused, 2 usage or configuration, 4 MC or OPA failed, 5 accepted and still waiting for OPA.";

/// Makes Open Policy Agent decide by the signed policy pack that MC publishes, within seconds, and never by a forged,
/// torn, old or broken one.
#[derive(Debug, Parser)]
#[command(name = "policy-reloader", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `run` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow MC until told to stop (the default)
    Run(Box<RunArgs>),
    /// Bring OPA up to date once, then exit
    Once(Box<RunArgs>),
    /// Check a pack, by file or URL, as `run` would, and say everything that was checked
    Verify(Box<VerifyArgs>),
    /// Show what is in a pack, without judging its signature
    Inspect(InspectArgs),
    /// Make packs: build, sign, keys
    #[command(subcommand)]
    Pack(PackCommand),
    /// Print the OPA configuration that fits bundle mode
    OpaConfig(OpaConfigArgs),
    /// Verify any file against a Sigstore bundle (the protocol of the Sigstore client conformance suite)
    VerifyBundle(VerifyBundleArgs),
}

/// Options of `run` and `once`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Where MC serves the pack, for example https://mc.example.com/v1/policy/packs/policy-pack-v0
    #[arg(long, env = "MC_POLICY_PACK_URL", value_name = "URL")]
    pub pack_url: Option<String>,
    /// Bearer token for MC
    #[arg(long, env = "MC_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub mc_token: Option<Secret>,
    /// File with that token; read again at each use, so it may be rotated
    #[arg(long, env = "MC_TOKEN_FILE", value_name = "FILE", conflicts_with = "mc_token")]
    pub mc_token_file: Option<PathBuf>,
    /// Longest time between two polls of MC, in milliseconds; each comes up to a fifth earlier, at random
    #[arg(long, env = "POLICY_POLL_INTERVAL_MS", value_name = "MS", default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(10..=86_400_000))]
    pub poll_interval_ms: u64,
    /// Folder that remembers the last good pack and its revision across restarts; without it a restart forgets both
    #[arg(long, env = "POLICY_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// What a pack must satisfy.
    #[command(flatten)]
    pub pack: PackRulesArgs,
    /// How it comes to decide.
    #[command(flatten)]
    pub opa: OpaArgs,
    /// Health, metrics, status, refresh.
    #[command(flatten)]
    pub admin: AdminArgs,
    /// HTTP to MC and OPA.
    #[command(flatten)]
    pub http: HttpArgs,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// One segment of the path that OPA polls.
fn bundle_name(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if !text.is_empty() && text.chars().all(plain) && text.chars().any(|letter| letter != '.') {
        return Ok(text.to_owned());
    }
    Err("expected letters, digits, `_`, `-` and `.`".to_owned())
}

/// OPA and how it is told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "OPA and activation")]
pub struct OpaArgs {
    /// OPA's REST API; several addresses separated by commas
    #[arg(
        long,
        env = "OPA_URL",
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8181"
    )]
    pub opa_url: Vec<String>,
    /// Bearer token for OPA (when it runs with --authentication=token)
    #[arg(long, env = "OPA_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub opa_token: Option<Secret>,
    /// File with that token; read again at each use
    #[arg(long, env = "OPA_TOKEN_FILE", value_name = "FILE", conflicts_with = "opa_token")]
    pub opa_token_file: Option<PathBuf>,
    /// PEM file with authorities to trust for OPA's certificate, besides the system's
    #[arg(long, env = "OPA_CA_FILE", value_name = "FILE")]
    pub opa_ca_file: Option<PathBuf>,
    /// PEM file with our certificate for OPA (when it runs with --authentication=tls)
    #[arg(long, env = "OPA_CLIENT_CERT", value_name = "FILE", requires = "opa_client_key")]
    pub opa_client_cert: Option<PathBuf>,
    /// PEM file with the key of that certificate
    #[arg(long, env = "OPA_CLIENT_KEY", value_name = "FILE", requires = "opa_client_cert")]
    pub opa_client_key: Option<PathBuf>,

    /// How a pack comes to decide: bundle (OPA polls us, atomic), push (we write to OPA, not atomic), embedded (no
    /// OPA, we answer), auto (bundle if OPA is configured to poll us, else push)
    #[arg(long, env = "POLICY_ACTIVATION", value_enum, default_value_t = ActivationChoice::Auto)]
    pub activation: ActivationChoice,
    /// Where OPA polls us in bundle mode
    #[arg(
        long,
        env = "BUNDLE_LISTEN",
        value_name = "IP:PORT",
        default_value = "127.0.0.1:8282"
    )]
    pub bundle_listen: SocketAddr,
    /// Name of the bundle in OPA's configuration
    #[arg(long, env = "BUNDLE_NAME", value_name = "NAME", default_value = "policy", value_parser = bundle_name)]
    pub bundle_name: String,
    /// Bearer token that OPA has to send when it polls us
    #[arg(long, env = "BUNDLE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub bundle_token: Option<Secret>,
    /// File with that token; read again at each use
    #[arg(
        long,
        env = "BUNDLE_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "bundle_token"
    )]
    pub bundle_token_file: Option<PathBuf>,
    /// Where we answer decisions in embedded mode
    #[arg(long, env = "OPA_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:8181")]
    pub opa_listen: SocketAddr,
    /// How long OPA may take to activate a new bundle before it is withdrawn, in milliseconds
    #[arg(long, env = "ACTIVATION_TIMEOUT_MS", value_name = "MS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub activation_timeout_ms: u64,
    /// How often each OPA is asked what it decides by, in milliseconds
    #[arg(long, env = "WATCH_INTERVAL_MS", value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    pub watch_interval_ms: u64,
}

/// The ways to make a pack decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ActivationChoice {
    /// Look at OPA's configuration and choose bundle or push.
    Auto,
    /// OPA polls us.
    Bundle,
    /// We write to OPA.
    Push,
    /// We answer ourselves.
    Embedded,
}

/// What a pack must satisfy.
#[derive(Debug, Clone, Args)]
pub struct PackRulesArgs {
    /// Who may sign.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Refuse packs without pack.json (id, revision, expiry)
    #[arg(long, env = "REQUIRE_MANIFEST", help_heading = "Pack rules")]
    pub require_manifest: bool,
    /// Refuse packs whose pack.json states another id
    #[arg(long, env = "POLICY_PACK_ID", value_name = "ID", help_heading = "Pack rules")]
    pub pack_id: Option<String>,
    /// Rego syntax of packs whose pack.json does not say
    #[arg(long, env = "REGO_VERSION", value_enum, default_value_t = RegoChoice::Auto, help_heading = "Pack rules")]
    pub rego_version: RegoChoice,
    /// What to do with Rego that the reloader's own interpreter cannot read: refuse the pack, or warn and let OPA's
    /// compiler judge (for Rego that is newer than this program)
    #[arg(long, env = "UNREADABLE_REGO", value_enum, default_value_t = UnreadableRego::Refuse, help_heading = "Pack rules")]
    pub unreadable_rego: UnreadableRego,
    /// Where the files of data/ are put under OPA's `data`: data/retention.json becomes data.<root>.retention
    #[arg(
        long,
        env = "POLICY_DATA_ROOT",
        value_name = "NAME",
        default_value = "cos",
        help_heading = "Pack rules"
    )]
    pub data_root: String,
    /// Largest pack as sent, in bytes
    #[arg(long, env = "MAX_PACK_BYTES", value_name = "BYTES", default_value_t = 64 << 20, help_heading = "Pack rules")]
    pub max_pack_bytes: usize,
    /// Largest pack after decompression, in bytes
    #[arg(long, env = "MAX_UNPACKED_BYTES", value_name = "BYTES", default_value_t = 256 << 20, help_heading = "Pack rules")]
    pub max_unpacked_bytes: usize,
    /// Most entries in a pack
    #[arg(
        long,
        env = "MAX_PACK_ENTRIES",
        value_name = "N",
        default_value_t = 4096,
        help_heading = "Pack rules"
    )]
    pub max_pack_entries: usize,
    /// Golden decisions are only evaluated with up to this much data, in bytes; more is refused
    #[arg(long, env = "MAX_GOLDEN_DATA_BYTES", value_name = "BYTES", default_value_t = 16 << 20, help_heading = "Pack rules")]
    pub max_golden_data_bytes: usize,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A pack file, or MC's URL of a pack
    #[arg(value_name = "FILE|URL")]
    pub pack: String,
    /// The signature bundle of a file (a URL brings its own)
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// The digest that the file must have
    #[arg(long, value_name = "sha256:HEX")]
    pub digest: Option<pack_verify::Sha256Digest>,
    /// Bearer token for MC
    #[arg(long, env = "MC_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub mc_token: Option<Secret>,
    /// File with that token
    #[arg(long, env = "MC_TOKEN_FILE", value_name = "FILE", conflicts_with = "mc_token")]
    pub mc_token_file: Option<PathBuf>,
    /// What the pack must satisfy.
    #[command(flatten)]
    pub rules: PackRulesArgs,
    /// HTTP to MC.
    #[command(flatten)]
    pub http: HttpArgs,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Options of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A pack file
    #[arg(value_name = "FILE")]
    pub pack: PathBuf,
    /// Where the files of data/ are put under OPA's `data`
    #[arg(long, env = "POLICY_DATA_ROOT", value_name = "NAME", default_value = "cos")]
    pub data_root: String,
    /// The result on stdout.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Making packs.
#[derive(Debug, Subcommand)]
pub enum PackCommand {
    /// Make a pack from a folder: the same folder gives the same bytes on every machine
    Build {
        /// Folder with opa/, data/ and, if wanted, pack.json
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// The tar to write
        #[arg(short = 'o', long, value_name = "FILE", default_value = "pack.tar")]
        out: PathBuf,
        /// The result on stdout.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Sign a pack with a private key
    Sign {
        /// The pack
        #[arg(value_name = "FILE")]
        pack: PathBuf,
        /// PEM file with the private key (PKCS#8: ECDSA P-256 or Ed25519), as `pack keygen` makes it
        #[arg(long, env = "SIGNING_KEY_FILE", value_name = "FILE")]
        signing_key: PathBuf,
        /// The signature bundle to write; default: the pack's name with .sigstore.json
        #[arg(short = 'o', long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Format of the bundle
        #[arg(long, value_enum, default_value_t = BundleFormat::Sigstore)]
        format: BundleFormat,
        /// The result on stdout.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make a key pair: PREFIX.key (keep it secret) and PREFIX.pub
    Keygen {
        /// Where to write
        #[arg(value_name = "PREFIX", default_value = "policy-pack")]
        prefix: PathBuf,
        /// Kind of key
        #[arg(long, value_enum, default_value_t = KeyChoice::EcdsaP256)]
        kind: KeyChoice,
        /// The result on stdout.
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Formats of a signature bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BundleFormat {
    /// Sigstore bundle v0.3.
    Sigstore,
    /// The older format of cosign 2.x (`--bundle` without `--new-bundle-format`).
    Cosign2,
}

/// Kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyChoice {
    /// ECDSA over P-256 with SHA-256, as cosign makes them.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
}

/// Options of `opa-config`.
#[derive(Debug, Args)]
pub struct OpaConfigArgs {
    /// Where OPA reaches the reloader's bundle port
    #[arg(
        long,
        env = "BUNDLE_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8282"
    )]
    pub bundle_url: String,
    /// Name of the bundle
    #[arg(long, env = "BUNDLE_NAME", value_name = "NAME", default_value = "policy", value_parser = bundle_name)]
    pub bundle_name: String,
    /// Name of the variable that holds the bundle token in OPA's environment, when the reloader asks for one
    #[arg(long, value_name = "VARIABLE")]
    pub bundle_token_env: Option<String>,
}

/// Options of `verify-bundle`.
#[derive(Debug, Args)]
pub struct VerifyBundleArgs {
    /// A file, or sha256:HEX for its digest
    #[arg(value_name = "FILE|sha256:HEX")]
    pub artifact: String,
    /// The Sigstore bundle
    #[arg(long, value_name = "FILE")]
    pub bundle: PathBuf,
    /// The signer's identity
    #[arg(
        long,
        value_name = "IDENTITY",
        requires = "certificate_oidc_issuer",
        required_unless_present = "key"
    )]
    pub certificate_identity: Option<String>,
    /// Who vouches for the identity
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    pub certificate_oidc_issuer: Option<String>,
    /// PEM file with the public key
    #[arg(long, value_name = "FILE", conflicts_with = "certificate_identity")]
    pub key: Option<PathBuf>,
    /// The pinned trusted_root.json; default: the public instance's, as it was when this program was built
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
    /// Take the roots of the Sigstore staging instance
    #[arg(long, conflicts_with = "trusted_root")]
    pub staging: bool,
    /// Accept a signature by key that is in no transparency log
    #[arg(long, requires = "key")]
    pub insecure_ignore_tlog: bool,
}
