//! What all connections of a target share. Of one thread, so nothing here waits for anybody.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::alarm::Alarm;
use crate::answers::Answers;
use crate::behaviour::{nanoseconds, plan, thawed};
use crate::config::{Kind, TargetConfig};
use crate::log::{Log, Place, Seen};

pub(crate) struct Shared {
    pub(crate) config: TargetConfig,
    pub(crate) answers: Answers,
    pub(crate) alarm: Rc<Alarm>,
    pub(crate) log: RefCell<Log>,
    /// When the first request came, which freezes are counted from.
    first_ns: Cell<Option<u64>>,
    open: Cell<usize>,
    /// Told whenever a connection ends.
    pub(crate) one_less: Notify,
}

/// A request that was taken up.
pub(crate) struct Taken {
    pub(crate) kind: Kind,
    /// When its answer leaves.
    pub(crate) answer_ns: u64,
    place: Place,
}

impl Shared {
    pub(crate) fn new(config: TargetConfig, started: Instant) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            answers: Answers::new(&config),
            alarm: Alarm::new(started)?,
            log: RefCell::new(Log::new(config.log, config.keep)),
            first_ns: Cell::new(None),
            open: Cell::new(0),
            one_less: Notify::new(),
            config,
        }))
    }

    /// Decides what becomes of a request that came at `arrived_ns`, and writes it down.
    pub(crate) fn take(&self, connection: u32, arrived_ns: u64) -> Taken {
        let mut log = self.log.borrow_mut();
        let plan = plan(&self.config, log.next_number());
        let first_ns = self.first_ns.get().unwrap_or(arrived_ns);
        self.first_ns.set(Some(first_ns));
        let answer_ns = first_ns + thawed(&self.config.freezes, arrived_ns + plan.latency_ns - first_ns);
        let planned_ns = match plan.kind {
            Kind::Never => None,
            Kind::SlowBody => Some(answer_ns + self.slow_body_ns()),
            _ => Some(answer_ns),
        };
        Taken {
            kind: plan.kind,
            answer_ns,
            place: log.arrived(connection, arrived_ns, planned_ns, plan.kind),
        }
    }

    pub(crate) fn slow_body_ns(&self) -> u64 {
        nanoseconds(self.config.slow_body_ms)
    }

    /// Its last byte was written now, or its connection cut (status 0).
    pub(crate) fn ended(&self, taken: &Taken, status: u16) {
        self.log.borrow_mut().ended(taken.place, self.alarm.now(), status);
    }

    pub(crate) fn wants_words(&self) -> bool {
        self.config.keep > 0 && self.log.borrow().wants_words()
    }

    pub(crate) fn keep(&self, seen: Seen) {
        self.log.borrow_mut().counts.seen.push(seen);
    }

    /// Forgets every request, and that there ever was a first one.
    pub(crate) fn reset(&self) {
        self.log.borrow_mut().reset();
        self.first_ns.set(None);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.config.connections != 0 && self.open.get() >= self.config.connections
    }

    /// A connection begins; it ends with the value.
    pub(crate) fn begin_connection(self: &Rc<Self>) -> Connection {
        let open = self.open.get() + 1;
        self.open.set(open);
        let counts = &mut self.log.borrow_mut().counts;
        counts.most_open = counts.most_open.max(open as u64);
        counts.connections += 1;
        Connection {
            number: u32::try_from(counts.connections - 1).unwrap_or(u32::MAX),
            shared: Rc::clone(self),
        }
    }
}

/// An open connection.
pub(crate) struct Connection {
    pub(crate) number: u32,
    pub(crate) shared: Rc<Shared>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.open.set(self.shared.open.get() - 1);
        self.shared.one_less.notify_one();
    }
}
