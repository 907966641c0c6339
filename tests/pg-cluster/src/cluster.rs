//! Owns one server: start, stop, what it is called.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::process::Signal;

use crate::disk::SmallDisk;
use crate::error::{Error, file_error, io_error};
use crate::home::Home;
use crate::install::{Install, Major};
use crate::options::{self, Options};
use crate::{ports, processes, template, user};

/// A server that has not come up by then will not. Recovery of a large crashed one takes a while.
const PATIENCE: Duration = Duration::from_mins(2);
/// The same for stopping; then it is killed.
const STOPPING: Duration = Duration::from_mins(1);
/// Between two looks.
const PACE: Duration = Duration::from_millis(10);

/// What may stand in an address as it is (RFC 3986, "unreserved").
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Sessions are ended.
    Fast,
    /// As by a power cut.
    Immediate,
}

/// A running server; dropping it stops it and removes its folder, and so does the end of this process, however it ends.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) server: Option<Child>,
    pub(crate) install: Install,
    pub(crate) options: Options,
    port: u16,
    /// Before the folder, which it is in.
    disk: Option<SmallDisk>,
    pub(crate) home: Home,
}

impl Cluster {
    /// Makes a folder, starts a server in it, and waits until it answers.
    ///
    /// # Errors
    /// There is no such PostgreSQL, or it does not start; the message has the end of its log.
    pub fn start(major: Major, options: &Options) -> Result<Self, Error> {
        let install = user::reachable(&major.ensure()?)?;
        Self::build(install, options.clone(), None, |install, home| {
            template::make(install, &options.initdb, &home.data())?;
            match &options.password {
                Some(password) => template::set_password(install, &home.data(), password),
                None => Ok(()),
            }
        })
    }

    /// A server whose data folder is made by `fill`; `upstream` is the primary's address for a replica.
    pub(crate) fn build(
        install: Install,
        options: Options,
        upstream: Option<&str>,
        fill: impl FnOnce(&Install, &Home) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let home = Home::new()?;
        fill(&install, &home)?;
        let disk = options
            .small_disk_mib
            .map(|mib| SmallDisk::mount(home.path(), mib))
            .transpose()?;
        let mut cluster = Self {
            server: None,
            install,
            options,
            port: 0,
            disk,
            home,
        };
        if let Some(tls) = &cluster.options.tls {
            let certificates = tls.make()?;
            let ca = cluster.home.path().join("ca.pem");
            fs::write(&ca, certificates.authority).map_err(file_error("write", &ca))?;
            cluster.write("server.pem", &certificates.server)?;
            cluster.write("server.key", &certificates.key)?;
        }
        cluster.write("data/pg_hba.conf", &options::access(&cluster.options))?;
        for _ in 0..10 {
            cluster.port = ports::free().map_err(io_error("find a free port"))?;
            let text = options::configuration(&cluster.options, cluster.port, cluster.home.path(), upstream);
            cluster.write("data/postgresql.conf", &text)?;
            match cluster.start_again() {
                // Somebody was quicker.
                Err(Error::Failed { said, .. }) if said.contains("Address already in use") => {
                    cluster.server = None;
                    let _ = fs::remove_file(cluster.log_file());
                }
                done => return done.map(|()| cluster),
            }
        }
        Err(Error::Failed {
            program: "postgres",
            said: "each of ten ports was taken between its choice and its use".to_owned(),
        })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        user::write_private(&self.home.path().join(name), text)
    }

    /// Starts the server that was stopped, or has crashed; same port, same data. One that runs is left alone.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if let Some(server) = &mut self.server
            && server.try_wait().map_err(io_error("look at the server"))?.is_none()
        {
            return Ok(());
        }
        let log = self.log_file();
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(file_error("open", &log))?;
        let program = self.install.bin.join("postgres");
        let mut command = match &self.disk {
            Some(disk) => disk.command(&program),
            None => user::command(&program),
        };
        let server = command
            .arg("-D")
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(file_error("start", &program))?;
        let server = self.server.insert(server);
        let pid_file = self.home.data().join("postmaster.pid");
        let end = Instant::now() + PATIENCE;
        loop {
            let told = fs::read_to_string(&pid_file).unwrap_or_default();
            if is_ready(&told, server.id()) {
                return Ok(());
            }
            let gone = server.try_wait().map_err(io_error("look at the server"))?;
            if gone.is_some() || Instant::now() > end {
                return Err(Error::Failed {
                    program: "postgres",
                    said: self.log(),
                });
            }
            std::thread::sleep(PACE);
        }
    }

    /// Stops the server, also one that is paused.
    ///
    /// # Errors
    /// It does not stop; then it is killed.
    pub fn stop(&mut self, how: Stop) -> Result<(), Error> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let signal = match how {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        };
        // Nothing to do where it has ended by itself; `wait` sees that.
        let _ = processes::signal(server.id(), signal);
        for pid in processes::children(server.id()).unwrap_or_default() {
            let _ = processes::signal(pid, Signal::CONT);
        }
        let _ = processes::signal(server.id(), Signal::CONT);
        let end = Instant::now() + STOPPING;
        while server.try_wait().map_err(io_error("wait for the server"))?.is_none() {
            if Instant::now() > end {
                let _ = server.kill();
                let _ = server.wait();
                return Err(Error::Failed {
                    program: "postgres",
                    said: format!("no stop within {} s\n{}", STOPPING.as_secs(), self.log()),
                });
            }
            std::thread::sleep(PACE);
        }
        Ok(())
    }

    /// Stops it (fast) and starts it again.
    ///
    /// # Errors
    /// It does not stop, or does not come up.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop(Stop::Fast)?;
        self.start_again()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.home.data()
    }

    /// A folder of ours, for sockets and files.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// 14, 15, ...
    pub fn major(&self) -> u32 {
        self.install.major
    }

    /// The port on 127.0.0.1, and of the socket in [`Self::folder`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that all others of this server come from; none while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// The authority's certificate, in PEM, where [`Options::tls`] asked for it.
    pub fn ca(&self) -> Option<PathBuf> {
        self.options.tls.as_ref().map(|_| self.home.path().join("ca.pem"))
    }

    /// The empty folder on the small disk, for `CREATE TABLESPACE ... LOCATION`, where [`Options::small_disk_mib`] asked
    /// for it.
    pub fn small_disk(&self) -> Option<&Path> {
        self.disk.as_ref().map(SmallDisk::path)
    }

    /// `postgres://postgres[:password]@127.0.0.1:port/database`.
    pub fn url(&self, database: &str) -> String {
        let password = self.options.password.as_ref().map_or_else(String::new, |password| {
            format!(":{}", utf8_percent_encode(password, RESERVED))
        });
        let database = utf8_percent_encode(database, RESERVED);
        format!("postgres://postgres{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// What the server wrote.
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map_or_else(|_| String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.stop(Stop::Immediate);
    }
}

/// The server writes `ready` into its pid file when sessions are let in. The file may be of one that was killed.
fn is_ready(pid_file: &str, pid: u32) -> bool {
    let mut lines = pid_file.lines();
    lines.next().and_then(|line| line.trim().parse().ok()) == Some(pid)
        && lines.nth(6).is_some_and(|line| line.trim() == "ready")
}

#[cfg(test)]
mod tests {
    use super::is_ready;

    #[test]
    fn only_our_own_server_is_ready() {
        let file = "41\n/data\n1\n5432\n/socket\n127.0.0.1\n  1 2\nready   \n";
        assert!(is_ready(file, 41));
        assert!(!is_ready(file, 42), "left by a server that was killed");
        assert!(!is_ready(&file.replace("ready   ", "starting"), 41));
        assert!(!is_ready("", 41));
    }
}
