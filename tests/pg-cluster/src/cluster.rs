//! Owns one server: its folder, its process, its settings.

use crate::install::{Install, Major, Unavailable};
use std::fmt::Write as _;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Root may not run a server: then it runs as this user (`nobody` on every Linux we know).
const UNPRIVILEGED: u32 = 65534;
/// A server that has not come up by then will not.
const PATIENCE: Duration = Duration::from_secs(60);

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not here.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A file or process.
    #[error("cannot {doing}")]
    Io {
        /// What was done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// Its output.
        said: String,
    },
    /// The server said no.
    #[error("the server said no")]
    Sql(#[from] tokio_postgres::Error),
}

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Lines for postgresql.conf.
    pub settings: Vec<(String, String)>,
    /// Keep data safe from a power cut (slow); tests do not need it.
    pub fsync: bool,
}

impl Options {
    /// Adds a setting.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Sessions are ended.
    Fast,
    /// As by a power cut.
    Immediate,
}

/// A running server; dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct Cluster {
    folder: tempfile::TempDir,
    install: Install,
    port: u16,
    server: Option<Child>,
}

impl Cluster {
    /// Makes a folder, starts a server in it, and waits until it answers.
    ///
    /// # Errors
    /// There is no such PostgreSQL, or it does not start; the message has the end of its log.
    pub fn start(major: Major, options: &Options) -> Result<Self, Error> {
        let install = major.find()?;
        let folder = tempfile::Builder::new()
            .prefix("pg-")
            .tempdir()
            .map_err(io_error("make a folder"))?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
            .map_err(io_error("open the folder"))?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data).map_err(io_error("make the data folder"))?;
        if as_root() {
            for path in [folder.path(), &data] {
                chown(path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).map_err(io_error("give the folder away"))?;
            }
        }
        let output = command(&install, "initdb")
            .args([
                "--auth=trust",
                "--no-sync",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "--pgdata",
            ])
            .arg(&data)
            .output()
            .map_err(io_error("run initdb"))?;
        if !output.status.success() {
            return Err(Error::Failed {
                program: "initdb",
                said: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        let mut cluster = Self {
            folder,
            install,
            port: free_port().map_err(io_error("find a free port"))?,
            server: None,
        };
        cluster.configure(options)?;
        cluster.start_again()?;
        Ok(cluster)
    }

    fn configure(&self, options: &Options) -> Result<(), Error> {
        let socket = self.folder.path().display().to_string();
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{socket}'\nmax_connections = 50\n\
             shared_buffers = '64MB'\nlog_min_messages = warning\n",
            self.port
        );
        if !options.fsync {
            text.push_str("fsync = off\nfull_page_writes = off\n");
        }
        for (name, value) in &options.settings {
            let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
        }
        let conf = self.data().join("postgresql.auto.conf");
        std::fs::write(&conf, text).map_err(io_error("write the settings"))?;
        if as_root() {
            chown(&conf, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).map_err(io_error("give the settings away"))?;
        }
        Ok(())
    }

    /// Starts the server that was stopped; same port, same data.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_again(&mut self) -> Result<(), Error> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .map_err(io_error("open the log"))?;
        let server = command(&self.install, "postgres")
            .arg("-D")
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(io_error("start the server"))?;
        self.server = Some(server);
        let end = Instant::now() + PATIENCE;
        loop {
            if self.is_ready() {
                return Ok(());
            }
            let gone = self.server.as_mut().and_then(|server| server.try_wait().ok().flatten());
            if gone.is_some() || Instant::now() > end {
                return Err(Error::Failed {
                    program: "postgres",
                    said: self.log(),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The postmaster writes `ready` into its pid file when sessions are let in.
    fn is_ready(&self) -> bool {
        std::fs::read_to_string(self.data().join("postmaster.pid"))
            .ok()
            .and_then(|text| text.lines().nth(7).map(|line| line.trim() == "ready"))
            .unwrap_or(false)
    }

    /// Stops the server.
    ///
    /// # Errors
    /// It does not stop.
    pub fn stop(&mut self, how: Stop) -> Result<(), Error> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let signal = match how {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        let _ = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(server.id().to_string())
            .status();
        server.wait().map_err(io_error("wait for the server"))?;
        Ok(())
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder of ours, for sockets and files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// 14, 15, ...
    pub fn major(&self) -> u32 {
        self.install.major
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `postgres://postgres@127.0.0.1:port/database`.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// What the server wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A connection, driven by a task of its own.
    ///
    /// # Errors
    /// The server said no.
    pub async fn connect(&self, database: &str) -> Result<tokio_postgres::Client, Error> {
        let (client, connection) = tokio_postgres::connect(&self.url(database), tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Makes a database.
    ///
    /// # Errors
    /// The server said no.
    pub async fn create_database(&self, name: &str) -> Result<(), Error> {
        self.execute("postgres", &format!("CREATE DATABASE \"{name}\"")).await
    }

    /// Runs statements in a session of their own.
    ///
    /// # Errors
    /// The server said no.
    pub async fn execute(&self, database: &str, sql: &str) -> Result<(), Error> {
        Ok(self.connect(database).await?.batch_execute(sql).await?)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.stop(Stop::Immediate);
    }
}

fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { doing, source }
}

fn as_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// A program of the installation, under a user that may run it, and gone when we are.
fn command(install: &Install, program: &str) -> Command {
    let path = install.bin.join(program);
    let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"]
        .iter()
        .find(|path| Path::new(path).exists());
    let mut command = match setpriv {
        // A killed test must not leave servers behind.
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            if as_root() {
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            }
            command.args(["--pdeathsig", "QUIT"]).arg(path);
            command
        }
        None => {
            let mut command = Command::new(path);
            if as_root() {
                command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
            }
            command
        }
    };
    command.current_dir("/").env_clear().env("LC_ALL", "C").env("TZ", "UTC");
    command
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
