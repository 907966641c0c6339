//! Options of `run`, and what they say as [`Settings`].

#[cfg(test)]
mod tests;

use super::report::RenderArgs;
use clap::{Args, ValueEnum};
use load_plan::{EarlyStopChoice, Hidden, Plan, Settings, plan::Protocol};
use runtime::{
    Secret,
    args::{LogArgs, OutputArgs},
    exit::{Exit, Failure, ResultExt},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

const EXAMPLES: &str = "\
Examples:
  What a k6 script with constant-arrival-rate did:
    load-gate run --url https://staging.example.com/graphql --graphql '{ __typename }' --rate 50 --duration 5m \\
      --threshold 'http_req_duration=p(95)<350' --check 'status==200' --threshold 'checks=rate>0.99'
  The options of that script as they are:
    load-gate run --url https://staging.example.com/graphql --graphql '{ __typename }' --k6-options options.json
  Several requests with data, from a file (load-gate schema scenario describes it):
    load-gate run --scenario checkout.yaml --html report.html
  With a token that never appears on the command line:
    load-gate run --scenario checkout.yaml --header-env 'Authorization=Bearer API_TOKEN'

Exit codes: 0 PASS, 1 FAIL, 2 usage or configuration, 3 no verdict (INCONCLUSIVE or INVALID), 4 something else failed.
With --exit-codes k6: 0 PASS, 99 FAIL, 104 configuration, 105 stopped by a signal, 107 something else failed,
108 no verdict.";

/// Options of `run`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// What is sent.
    #[command(flatten)]
    pub request: RequestArgs,
    /// When, and how much.
    #[command(flatten)]
    pub load: LoadArgs,
    /// How it is judged.
    #[command(flatten)]
    pub verdict: VerdictArgs,
    /// Connections.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// TLS.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Files that the result is rendered to.
    #[command(flatten)]
    pub render: RenderArgs,
    /// Other places that the result goes to, and what is seen of the run.
    #[command(flatten)]
    pub report: RunReportArgs,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What is sent.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Request")]
pub struct RequestArgs {
    /// What requests go to, for example https://staging.example.com/graphql
    // A URL may have a password in it.
    #[arg(long, env = "COS_GQL_URL", value_name = "URL", hide_env_values = true)]
    pub url: Option<String>,
    /// GraphQL document, sent by POST as JSON; adds the check no_graphql_errors
    #[arg(long, env = "LOAD_GATE_GRAPHQL", value_name = "DOCUMENT", conflicts_with_all = ["body", "body_file"])]
    pub graphql: Option<String>,
    /// JSON object with the variables of the GraphQL document; may have {{placeholders}}
    #[arg(long, env = "LOAD_GATE_VARIABLES", value_name = "JSON", hide_env_values = true)]
    pub variables: Option<Hidden>,
    /// Method; GET, or POST when there is a body
    #[arg(short = 'X', long, env = "LOAD_GATE_METHOD", value_name = "METHOD")]
    pub method: Option<String>,
    /// Header; repeat it for more (in the variable: one a line)
    #[arg(
        short = 'H',
        long = "header",
        env = "LOAD_GATE_HEADERS",
        value_name = "NAME: VALUE",
        value_delimiter = '\n',
        hide_env_values = true
    )]
    pub headers: Vec<Hidden>,
    /// Header with the value of a variable, which is never shown: Authorization=TOKEN, 'Authorization=Bearer TOKEN'
    #[arg(
        long = "header-env",
        env = "LOAD_GATE_HEADER_ENV",
        value_name = "NAME=VARIABLE",
        value_delimiter = '\n'
    )]
    pub headers_from_env: Vec<String>,
    /// Header with the content of a file, which is never shown: 'Authorization=Bearer /run/secrets/token'
    #[arg(
        long = "header-file",
        env = "LOAD_GATE_HEADER_FILE",
        value_name = "NAME=PATH",
        value_delimiter = '\n'
    )]
    pub headers_from_file: Vec<String>,
    /// Body; may have {{placeholders}}
    #[arg(
        long,
        env = "LOAD_GATE_BODY",
        value_name = "TEXT",
        conflicts_with = "body_file",
        hide_env_values = true
    )]
    pub body: Option<Hidden>,
    /// File with the body
    #[arg(long, env = "LOAD_GATE_BODY_FILE", value_name = "FILE")]
    pub body_file: Option<PathBuf>,
    /// CSV with a header, JSON or JSON Lines; {{column}} in the URL, headers and body takes a value of the next row
    #[arg(long, env = "LOAD_GATE_DATA", value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Take rows of the data file at random instead of one after the other
    #[arg(long, env = "LOAD_GATE_DATA_RANDOM", requires = "data")]
    pub data_random: bool,
    /// Tag on every request; repeat it for more
    #[arg(
        long = "tag",
        env = "LOAD_GATE_TAGS",
        value_name = "NAME=VALUE",
        value_delimiter = '\n'
    )]
    pub tags: Vec<String>,
}

/// When, and how much.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Load")]
pub struct LoadArgs {
    /// Scenario file, YAML or JSON; options given beside it win
    #[arg(long, env = "LOAD_GATE_SCENARIO", value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// A k6 script's options as JSON (what `k6 inspect` prints): scenarios with arrival rates, thresholds, tags
    #[arg(long, env = "LOAD_GATE_K6_OPTIONS", value_name = "FILE")]
    pub k6_options: Option<PathBuf>,
    /// Requests per second, sent on time however slow the answers are
    #[arg(long, env = "LOAD_GATE_RATE", value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// How long the counted part is, such as 5m
    #[arg(long, env = "LOAD_GATE_DURATION", value_name = "DURATION", value_parser = load_plan::duration::parse)]
    pub duration: Option<Duration>,
    /// Time before it, in which requests are sent and not counted
    #[arg(long, env = "LOAD_GATE_WARM_UP", value_name = "DURATION", value_parser = load_plan::duration::parse)]
    pub warm_up: Option<Duration>,
    /// Longest time from the moment a request was due to its last byte [default: 30s]
    #[arg(long, env = "LOAD_GATE_TIMEOUT", value_name = "DURATION", value_parser = load_plan::duration::parse)]
    pub timeout: Option<Duration>,
    /// Before the run, wait up to this long until the target can be reached; that time is not measured
    #[arg(long, env = "LOAD_GATE_WAIT_READY", value_name = "DURATION", default_value = "0s", value_parser = load_plan::duration::parse)]
    pub wait_ready: Duration,
    /// End the run as FAIL at once when no request can succeed (unknown host, refused connection, TLS error); true when
    /// not given
    #[arg(long, env = "LOAD_GATE_FAIL_FAST", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub fail_fast: Option<bool>,
    /// Seed of everything that is chosen at random [default: 0]
    #[arg(long, env = "LOAD_GATE_SEED", value_name = "N")]
    pub seed: Option<u64>,
}

/// How it is judged.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Verdict")]
pub struct VerdictArgs {
    /// k6 threshold, such as http_req_duration{op:read}=p(95)<350; repeat it for more (in the variable: one a line)
    #[arg(
        long = "threshold",
        env = "LOAD_GATE_THRESHOLDS",
        value_name = "METRIC=EXPRESSION",
        value_delimiter = '\n'
    )]
    pub thresholds: Vec<String>,
    /// Run without a threshold; the verdict then only says whether any request succeeded
    #[arg(long, env = "LOAD_GATE_NO_THRESHOLDS", conflicts_with = "thresholds")]
    pub no_thresholds: bool,
    /// What every response must satisfy: status==200, no_graphql_errors, body contains TEXT, header NAME == TEXT,
    /// json /POINTER == VALUE; repeat it for more (in the variable: one a line)
    #[arg(
        long = "check",
        env = "LOAD_GATE_CHECKS",
        value_name = "CHECK",
        value_delimiter = '\n'
    )]
    pub checks: Vec<String>,
    /// Confidence of each bound [default: 0.95]
    #[arg(long, env = "LOAD_GATE_CONFIDENCE", value_name = "SHARE")]
    pub confidence: Option<f64>,
    /// When to stop before the end: never, exact (the verdict cannot change any more), sequential (a test that may be
    /// asked at any time is sure, at --alpha) [default: exact]
    #[arg(
        long,
        env = "LOAD_GATE_EARLY_STOP",
        value_name = "MODE",
        value_enum,
        hide_possible_values = true
    )]
    pub early_stop: Option<EarlyStopArg>,
    /// Error rate of a sequential stop [default: 0.01]
    #[arg(long, env = "LOAD_GATE_ALPHA", value_name = "SHARE")]
    pub alpha: Option<f64>,
    /// No early stop before this much of the counted part [default: 0s]
    #[arg(long, env = "LOAD_GATE_MIN_DURATION", value_name = "DURATION", value_parser = load_plan::duration::parse)]
    pub min_duration: Option<Duration>,
    /// Largest 99th percentile of the generator's own lateness; more is INVALID [default: 10ms, or 5 % of the smallest
    /// latency limit if that is more]
    #[arg(long, env = "LOAD_GATE_MAX_LAG", value_name = "DURATION", value_parser = load_plan::duration::parse)]
    pub max_lag: Option<Duration>,
    /// Exit codes: the house's (native) or k6's
    #[arg(long, env = "LOAD_GATE_EXIT_CODES", value_enum, default_value_t = ExitCodes::Native)]
    pub exit_codes: ExitCodes,
}

/// When to stop before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EarlyStopArg {
    /// Never (but for --fail-fast).
    Never,
    /// When the verdict cannot change any more.
    Exact,
    /// When an anytime-valid test is sure.
    Sequential,
}

/// Whose exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExitCodes {
    /// The same as those of the other tools of the house.
    #[default]
    Native,
    /// k6's.
    K6,
}

/// Connections.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connections")]
pub struct ConnectionArgs {
    /// Opened before the first request [default: as the rate asks for]
    #[arg(long, env = "LOAD_GATE_CONNECTIONS", value_name = "N")]
    pub connections: Option<usize>,
    /// Most at a time; more requests wait, and their wait counts [default: 1000]
    #[arg(long, env = "LOAD_GATE_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// Most requests that wait; more are dropped, counted and judged as infinitely late [default: as many as could still
    /// be answered in time]
    #[arg(long, env = "LOAD_GATE_MAX_WAITING", value_name = "N")]
    pub max_waiting: Option<usize>,
    /// Version of HTTP: auto (HTTP/2 where TLS negotiates it), http1, http2 (without TLS by prior knowledge)
    #[arg(
        long,
        env = "LOAD_GATE_PROTOCOL",
        value_name = "VERSION",
        value_enum,
        hide_possible_values = true
    )]
    pub protocol: Option<ProtocolArg>,
    /// Longest time to open a connection, TLS included [default: 10s]
    #[arg(long, env = "LOAD_GATE_CONNECT_TIMEOUT", value_name = "DURATION", value_parser = load_plan::duration::parse)]
    pub connect_timeout: Option<Duration>,
    /// Open a new connection for every request
    #[arg(long, env = "LOAD_GATE_NO_CONNECTION_REUSE")]
    pub no_connection_reuse: bool,
    /// Threads that send [default: as the rate asks for]
    #[arg(long, env = "LOAD_GATE_THREADS", value_name = "N")]
    pub threads: Option<usize>,
}

/// Version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProtocolArg {
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// TLS to the target.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// PEM file with authorities to trust for the target's certificate, besides the system's
    #[arg(long, env = "LOAD_GATE_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// PEM file with our certificate
    #[arg(long, env = "LOAD_GATE_CLIENT_CERT", value_name = "FILE")]
    pub client_cert: Option<PathBuf>,
    /// PEM file with the key of that certificate
    #[arg(long, env = "LOAD_GATE_CLIENT_KEY", value_name = "FILE")]
    pub client_key: Option<PathBuf>,
    /// Name in the target's certificate, when it is not the URL's host
    #[arg(long, env = "LOAD_GATE_SERVER_NAME", value_name = "NAME")]
    pub server_name: Option<String>,
    /// Accept every certificate
    #[arg(long, env = "LOAD_GATE_INSECURE_SKIP_TLS_VERIFY")]
    pub insecure_skip_tls_verify: bool,
}

/// Other places that the result goes to, and what is seen of the run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reports")]
pub struct RunReportArgs {
    /// Write the whole result as JSON to this file: for `report`, `compare` and `merge`
    #[arg(long, env = "LOAD_GATE_RESULT", value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Stream every request as a row to this file (gzipped CSV)
    #[arg(long, env = "LOAD_GATE_SAMPLES", value_name = "FILE.csv.gz")]
    pub samples: Option<PathBuf>,
    /// Do not append the summary to the file that $GITHUB_STEP_SUMMARY names
    #[arg(long, env = "LOAD_GATE_NO_STEP_SUMMARY")]
    pub no_step_summary: bool,
    /// Send the run's metrics to this Prometheus Pushgateway
    #[arg(long, env = "PUSHGATEWAY_URL", value_name = "URL", hide_env_values = true)]
    pub push_url: Option<String>,
    /// Bearer token for it
    #[arg(long, env = "PUSHGATEWAY_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub push_token: Option<Secret>,
    /// File with that token
    #[arg(
        long,
        env = "PUSHGATEWAY_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "push_token"
    )]
    pub push_token_file: Option<PathBuf>,
    /// Label `job` of those metrics
    #[arg(long, env = "LOAD_GATE_PUSH_JOB", value_name = "NAME", default_value = "load-gate")]
    pub push_job: String,
    /// Label `service` of those metrics
    #[arg(long, env = "SERVICE", value_name = "NAME")]
    pub push_service: Option<String>,
    /// Label `environment` of those metrics
    #[arg(long, env = "ENVIRONMENT", value_name = "NAME")]
    pub push_environment: Option<String>,
    /// What is seen during the run on stderr: auto (a display on a terminal, a line every few seconds otherwise), always
    /// (the display), never
    #[arg(long, env = "LOAD_GATE_PROGRESS", value_name = "WHEN", value_enum, default_value_t = ProgressArg::Auto, hide_possible_values = true)]
    pub progress: ProgressArg,
    /// Time between two lines where there is no terminal
    #[arg(long, env = "LOAD_GATE_PROGRESS_INTERVAL", value_name = "DURATION", default_value = "5s", value_parser = load_plan::duration::parse)]
    pub progress_interval: Duration,
    /// Where Kubernetes looks for the last words of a container
    #[arg(long, hide = true, value_name = "FILE", default_value = crate::termination::PATH)]
    pub termination_log: PathBuf,
}

/// What is seen during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgressArg {
    /// A display on a terminal, plain lines otherwise.
    #[default]
    Auto,
    /// The display.
    Always,
    /// Nothing.
    Never,
}

/// clap value parser for a rate; whether it makes sense is the plan's to say.
fn rate(text: &str) -> Result<f64, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("expected requests per second as a number, such as 50 or 0.5, found {text:?}"))
}

impl RunArgs {
    /// The checked plan; paths start at the current folder.
    ///
    /// # Errors
    /// Anything that the plan finds wrong: exit 2.
    pub fn plan(&self) -> Result<Plan, Failure> {
        Plan::build(&self.settings(), Path::new("")).exit(Exit::Usage)
    }

    /// Whether the exit codes are k6's.
    pub fn k6_exit_codes(&self) -> bool {
        self.verdict.exit_codes == ExitCodes::K6
    }

    /// What the options say about the run itself. An empty variable means "not set".
    pub fn settings(&self) -> Settings {
        let Self {
            request,
            load,
            verdict,
            connection,
            tls,
            ..
        } = self;
        let text = |value: &Option<String>| value.clone().filter(|text| !text.trim().is_empty());
        let file = |value: &Option<PathBuf>| value.clone().filter(|path| !path.as_os_str().is_empty());
        let hidden = |value: &Option<Hidden>| value.clone().filter(|text| !text.expose().is_empty());
        // A variable with one entry a line ends with an empty one.
        let list = |values: &[String]| -> Vec<String> {
            let given = values.iter().filter(|text| !text.trim().is_empty());
            given.cloned().collect()
        };
        let headers = request
            .headers
            .iter()
            .filter(|header| !header.expose().trim().is_empty());
        Settings {
            scenario_file: file(&load.scenario),
            k6_options: file(&load.k6_options),
            url: text(&request.url),
            method: text(&request.method),
            headers: headers.cloned().collect(),
            headers_from_env: list(&request.headers_from_env),
            headers_from_file: list(&request.headers_from_file),
            body: hidden(&request.body),
            body_file: file(&request.body_file),
            graphql: text(&request.graphql),
            variables: hidden(&request.variables),
            rate: load.rate,
            duration: load.duration,
            warm_up: load.warm_up,
            thresholds: list(&verdict.thresholds),
            no_thresholds: verdict.no_thresholds,
            checks: list(&verdict.checks),
            tags: list(&request.tags),
            data: file(&request.data),
            data_random: request.data_random,
            timeout: load.timeout,
            connect_timeout: connection.connect_timeout,
            connections: connection.connections,
            max_connections: connection.max_connections,
            max_waiting: connection.max_waiting,
            protocol: connection.protocol.map(|protocol| match protocol {
                ProtocolArg::Auto => Protocol::Auto,
                ProtocolArg::Http1 => Protocol::Http1,
                ProtocolArg::Http2 => Protocol::Http2,
            }),
            no_connection_reuse: connection.no_connection_reuse,
            fail_fast: load.fail_fast,
            threads: connection.threads,
            seed: load.seed,
            ca_file: file(&tls.ca_file),
            client_cert: file(&tls.client_cert),
            client_key: file(&tls.client_key),
            insecure_skip_verify: tls.insecure_skip_tls_verify,
            server_name: text(&tls.server_name),
            confidence: verdict.confidence,
            early_stop: verdict.early_stop.map(|choice| match choice {
                EarlyStopArg::Never => EarlyStopChoice::Never,
                EarlyStopArg::Exact => EarlyStopChoice::Exact,
                EarlyStopArg::Sequential => EarlyStopChoice::Sequential,
            }),
            alpha: verdict.alpha,
            min_duration: verdict.min_duration,
            max_lag: verdict.max_lag,
        }
    }
}
