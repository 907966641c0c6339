//! Owns a TCP proxy between the program and the server that cuts connections where a test wants it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// The message that commits: a simple query with nothing else in it.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What it cuts.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// Every so many-th COMMIT reaches the server; its answer does not come back.
    AnswerToCommit {
        /// Counted over all connections.
        every: u32,
    },
    /// Every so many-th COMMIT does not reach the server.
    Commit {
        /// Counted over all connections.
        every: u32,
    },
    /// Every connection, after a random number of bytes from the program up to this.
    After {
        /// The most bytes.
        most: usize,
    },
}

/// A proxy on a port of its own, until the end of the process.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    cut: Cut,
    commits: AtomicU32,
    cuts: AtomicU32,
    /// No more than so many cuts.
    most: u32,
}

impl Proxy {
    /// Cuts at most `most` times on the way to `port` of this machine.
    pub fn start(port: u16, cut: Cut, most: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            cut,
            commits: AtomicU32::new(0),
            cuts: AtomicU32::new(0),
            most,
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                // Refused: as if we were not there.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)) {
                    connection(&client, &server, &shared);
                }
            }
        });
        Self { port: own, state }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often it has cut.
    pub fn cuts(&self) -> u32 {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

impl State {
    /// Whether one more may be cut; it is counted then.
    fn may_cut(&self) -> bool {
        self.cuts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |cuts| {
                (cuts < self.most).then_some(cuts + 1)
            })
            .is_ok()
    }

    fn cuts_this_commit(&self, every: u32) -> bool {
        (self.commits.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(every) && self.may_cut()
    }
}

/// Two threads, one a direction.
fn connection(client: &TcpStream, server: &TcpStream, state: &Arc<State>) {
    // Small messages, answered at once: waiting for more of them costs more than it saves.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from, to, state) = (
        client.try_clone().unwrap(),
        server.try_clone().unwrap(),
        Arc::clone(state),
    );
    let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = forward(&from, &to, &state);
        end(&from, &to);
    });
    thread::spawn(move || {
        let _ = std::io::copy(&mut &back.0, &mut &back.1);
        end(&back.0, &back.1);
    });
}

fn end(one: &TcpStream, other: &TcpStream) {
    // They may be closed already.
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

/// From the program to the server, until something is cut.
fn forward(mut from: &TcpStream, mut to: &TcpStream, state: &State) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 16];
    let mut left = match state.cut {
        Cut::After { most } => fastrand::usize(..most),
        _ => usize::MAX,
    };
    loop {
        let length = from.read(&mut bytes)?;
        if length == 0 {
            return Ok(());
        }
        let said = &bytes[..length];
        let commits = said.windows(COMMIT.len()).any(|window| window == COMMIT);
        match state.cut {
            Cut::AnswerToCommit { every } if commits && state.cuts_this_commit(every) => {
                // The program's side first: nothing of the answer may come through.
                from.shutdown(Shutdown::Both)?;
                to.write_all(said)?;
                // Until the server has done it: closing at once could overtake it.
                thread::sleep(Duration::from_millis(fastrand::u64(..30)));
                return Ok(());
            }
            Cut::Commit { every } if commits && state.cuts_this_commit(every) => return Ok(()),
            Cut::After { .. } if length >= left && state.may_cut() => {
                to.write_all(&said[..left])?;
                return Ok(());
            }
            _ => {}
        }
        left = left.saturating_sub(length);
        to.write_all(said)?;
    }
}
