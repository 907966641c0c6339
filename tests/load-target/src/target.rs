//! Starting a target on a thread of its own, and asking it for its truth.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::config::TargetConfig;
use crate::log::Truth;
use crate::shared::Shared;
use crate::tls::Tls;
use crate::{control, server};

/// Room for connections that come all at once.
const BACKLOG: u32 = 4096;

/// A running target. It ends with the value.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    control: SocketAddr,
    started: Instant,
    ca_pem: Option<String>,
    orders: Option<mpsc::UnboundedSender<Order>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

enum Order {
    Tell(oneshot::Sender<Truth>),
    Reset(oneshot::Sender<()>),
}

impl Target {
    /// Starts a target: when this returns, it accepts connections.
    ///
    /// # Errors
    /// When the address cannot be listened on, or there is no thread or certificate to be had.
    pub fn start(config: TargetConfig) -> io::Result<Self> {
        let tls = config.tls.then(|| Tls::generate(config.protocol)).transpose()?;
        let ca_pem = tls.as_ref().map(|tls| tls.ca_pem.clone());
        let started = Instant::now();
        let (orders, received) = mpsc::unbounded_channel();
        let (ready, is_ready) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("load-target".to_owned())
            .spawn(move || {
                stay_on(config.core)?;
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let acceptor = tls.map(|tls| tls.acceptor);
                LocalSet::new().block_on(&runtime, async move {
                    let shared = Shared::new(config, started)?;
                    let listener = listen(shared.config.listen)?;
                    let control = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
                    let addresses = (listener.local_addr()?, control.local_addr()?);
                    tokio::task::spawn_local(Rc::clone(&shared.alarm).run());
                    tokio::task::spawn_local(server::run(Rc::clone(&shared), listener, acceptor));
                    tokio::task::spawn_local(control::run(Rc::clone(&shared), control));
                    // Nobody there: the orders end at once as well.
                    let _ = ready.send(addresses);
                    obey(&shared, received).await;
                    Ok(())
                })
            })?;
        let mut target = Self {
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            control: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            started,
            ca_pem,
            orders: Some(orders),
            thread: Some(thread),
        };
        match is_ready.blocking_recv() {
            Ok((address, control)) => {
                (target.address, target.control) = (address, control);
                Ok(target)
            }
            Err(_) => Err(target
                .end()
                .err()
                .unwrap_or_else(|| io::Error::other("the target ended"))),
        }
    }

    /// What the times in its log are counted from.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a client wants it, with the path `/graphql`.
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/graphql", self.address)
    }

    /// Where its truth is told over HTTP: GET for the log, DELETE to empty it.
    pub fn truth_url(&self) -> String {
        format!("http://{}{}", self.control, control::PATH)
    }

    /// What its clients have to trust, when it speaks TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// What it knows so far.
    pub fn truth(&self) -> Truth {
        self.ask(Order::Tell)
    }

    /// Forgets every request, so that the next one is number 0 and the first.
    pub fn reset(&self) {
        self.ask(Order::Reset);
    }

    /// Closes every connection and ends. Dropping it does the same.
    ///
    /// # Errors
    /// When the target had ended before, with what ended it.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn ask<T: Default>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> T {
        let (answer, answered) = oneshot::channel();
        if let Some(orders) = &self.orders {
            // A target that ended has nothing to tell; `stop` says why it ended.
            let _ = orders.send(order(answer));
        }
        answered.blocking_recv().unwrap_or_default()
    }

    fn end(&mut self) -> io::Result<()> {
        self.orders = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the target's thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Keeps this thread on one core, so that a benchmark can give the others away.
#[cfg(target_os = "linux")]
fn stay_on(core: Option<usize>) -> io::Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let Some(core) = core else { return Ok(()) };
    if core >= CpuSet::MAX_CPU {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("there is no core {core}"),
        ));
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

#[cfg(not(target_os = "linux"))]
fn stay_on(core: Option<usize>) -> io::Result<()> {
    match core {
        None => Ok(()),
        Some(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn obey(shared: &Shared, mut orders: mpsc::UnboundedReceiver<Order>) {
    while let Some(order) = orders.recv().await {
        // Whoever asked may have gone.
        match order {
            Order::Tell(answer) => drop(answer.send(shared.log.borrow().truth())),
            Order::Reset(answer) => {
                shared.reset();
                let _ = answer.send(());
            }
        }
    }
}
