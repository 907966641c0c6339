//! Owns what tests do to a server to see what its users do about it.

use rustix::process::Signal;

use crate::cluster::Cluster;
use crate::error::{Error, io_error};
use crate::processes::{children, signal};

impl Cluster {
    /// Stops every process of the server in its tracks (SIGSTOP): connections stay open, nobody answers.
    ///
    /// # Errors
    /// It does not run.
    pub fn pause(&self) -> Result<(), Error> {
        let server = self.running()?;
        // The one that starts others first.
        send(server, Signal::STOP)?;
        for pid in children(server).map_err(io_error("list processes"))? {
            let _ = signal(pid, Signal::STOP);
        }
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// It does not run.
    pub fn resume(&self) -> Result<(), Error> {
        let server = self.running()?;
        for pid in children(server).map_err(io_error("list processes"))? {
            let _ = signal(pid, Signal::CONT);
        }
        send(server, Signal::CONT)
    }

    /// Kills one session's process (`kill -9`), by its `pg_backend_pid()`. The server then ends all other sessions, and
    /// recovers as after a crash.
    ///
    /// # Errors
    /// It is not one of this server's.
    pub fn kill_backend(&self, pid: i32) -> Result<(), Error> {
        let server = self.running()?;
        let ours = children(server).map_err(io_error("list processes"))?;
        match u32::try_from(pid) {
            Ok(pid) if ours.contains(&pid) => send(pid, Signal::KILL),
            _ => Err(Error::Unsupported(format!("process {pid} is not one of this server's"))),
        }
    }

    fn running(&self) -> Result<u32, Error> {
        self.pid()
            .ok_or_else(|| Error::Unsupported("the server is stopped".to_owned()))
    }
}

fn send(pid: u32, which: Signal) -> Result<(), Error> {
    signal(pid, which).map_err(io_error(format!("signal process {pid}")))
}
