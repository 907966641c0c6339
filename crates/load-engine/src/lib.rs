//! Open-model load: an absolute schedule, and one [`Sample`](load_verdict::Sample) for every request that was due.
//!
//! ```text
//! schedule --pacer--> worker --job--> pool --> h1 | h2 --> sample --> outbox --> the caller
//!  (when)  (timerfd)  (a thread)      (connections, waiting)   (exactly one for each arrival, whatever happens)
//! ```
//!
//! | module | owns |
//! |---|---|
//! | `beat` | when to sleep through the arrival of answers |
//! | `clock` | nanoseconds since the start of the schedule, by the monotonic clock |
//! | `pacer` | waking at an absolute time: timerfd on Linux, the runtime's timer elsewhere |
//! | `origin` | a server's addresses, resolved once before the run |
//! | `connect` | TCP and TLS, timed |
//! | `stamped`, `counted` | a TCP stream that knows when the kernel received what is read, and how much went through |
//! | `prepared` | a plan's request, ready to be sent |
//! | `pool` | one server's connections and the jobs that wait for one |
//! | `job` | a request on its way: it always ends as one sample, also when it is cut off |
//! | `h1`, `h2` | exchanging a request for a response |
//! | `worker` | one thread: takes arrivals up in time and hands them to pools |
//! | `setup` | what a plan becomes before a run: servers, requests, pools, threads |
//! | `shared` | what threads tell each other: stop, gauges, causes, samples |
//! | `run` | all threads: open connections, start together, stop, end |
//! | `usage` | what the generator itself used and had to wait for |

mod beat;
mod clock;
mod connect;
mod counted;
mod h1;
mod h2;
mod job;
mod origin;
mod pacer;
mod pool;
mod prepared;
mod run;
mod setup;
mod shared;
mod stamped;
mod tls;
mod usage;
mod worker;

pub use connect::ConnectError;
pub use run::{Finished, Running, SetupError, start};
pub use shared::Gauges;
pub use usage::Usage;
