//! What a person sees while a run goes on: two lines that are drawn again on a terminal, or one line now and then in a log.

use super::terminal::ink::{Ink, pad_left};
use crate::text;
use crate::view::verdict_word;
use load_verdict::Verdict;

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Seconds since the schedule began, warm-up included.
    pub elapsed_s: f64,
    /// Seconds of the whole schedule, warm-up included.
    pub total_s: f64,
    /// Whether this is the warm-up, which is not counted.
    pub warm_up: bool,
    /// Requests taken up per second, lately.
    pub rate: f64,
    /// Counted requests that ended so far.
    pub requests: u64,
    /// Of those, not answered rightly.
    pub failed: u64,
    /// Requests that wait for their answer now.
    pub in_flight: u64,
    /// Judged median so far; `None` is infinite, or no request yet.
    pub p50_ms: Option<f64>,
    /// Judged 95th percentile so far; as above.
    pub p95_ms: Option<f64>,
    /// Judged 99th percentile so far; as above.
    pub p99_ms: Option<f64>,
    /// 99th percentile of the generator's lateness so far; `None`: not known.
    pub lag_p99_ms: Option<f64>,
    /// What the run would come to if it ended now; `None`: too early to say.
    pub verdict: Option<Verdict>,
}

impl Progress {
    /// The part of the schedule that is behind, 0 to 1.
    fn part(&self) -> f64 {
        let part = self.elapsed_s / self.total_s;
        if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 }
    }

    fn latency(&self, x: Option<f64>) -> String {
        match x {
            Some(ms) => format!("{} ms", text::figure(ms)),
            None if self.requests > 0 => "infinite".to_owned(),
            None => text::NONE.to_owned(),
        }
    }

    fn percent(&self) -> String {
        format!("{:.0} %", (self.part() * 100.0).floor())
    }
}

/// Two lines for a terminal of that width, without a line break at the end. Every line fits, so that going up two
/// lines and writing again draws over the old ones.
pub fn progress_line(progress: &Progress, colours: bool, width: usize) -> String {
    let ink = Ink::new(colours);
    let width = width.clamp(20, 160);
    let clock = format!(
        "{} / {}",
        text::clock(progress.elapsed_s),
        text::clock(progress.total_s)
    );
    let phase = if progress.warm_up { "warm-up" } else { "" };
    let tail = format!(
        "{}  {}/s",
        pad_left(&progress.percent(), 5),
        text::figure(progress.rate)
    );
    let used = text::columns(&clock) + text::columns(phase) + text::columns(&tail) + 6;
    let bar = bar(progress.part(), width.saturating_sub(used).min(60), ink);
    let first = [clock, phase.to_owned(), bar, ink.bold(&tail)]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");

    let failed = match progress.failed {
        0 => format!("{} requests, none failed", text::count(progress.requests)),
        n => format!(
            "failed {} of {} ({})",
            text::count(n),
            text::count(progress.requests),
            text::share(n, progress.requests)
        ),
    };
    let latencies = [
        ("p50", progress.p50_ms),
        ("p95", progress.p95_ms),
        ("p99", progress.p99_ms),
    ]
    .map(|(name, x)| (name, progress.latency(x)));
    let verdict = progress.verdict.map_or("…", verdict_word);
    // Coloured last: what fits is decided by what is seen.
    let mut second = String::new();
    let mut room = width.saturating_sub(1);
    let mut put = |seen: &str, shown: String| {
        let wide = text::columns(seen) + 2;
        if wide <= room {
            room -= wide;
            second.push_str(&shown);
            second.push_str("  ");
        }
    };
    let coloured = progress
        .verdict
        .map_or_else(|| ink.dim(verdict), |v| ink.verdict(v, verdict));
    put(verdict, coloured);
    for (name, value) in &latencies {
        put(&format!("{name} {value}"), format!("{} {value}", ink.dim(name)));
    }
    let shown = if progress.failed > 0 {
        ink.red(&failed)
    } else {
        ink.dim(&failed)
    };
    put(&failed, shown);
    format!(" {}\n {}", fit_coloured(&first, width, colours), second.trim_end())
}

/// One line for a log, without a line break.
pub fn plain_line(progress: &Progress) -> String {
    let mut parts = vec![
        format!("{}/s", text::figure(progress.rate)),
        format!("p50 {}", progress.latency(progress.p50_ms)),
        format!("p95 {}", progress.latency(progress.p95_ms)),
        format!("p99 {}", progress.latency(progress.p99_ms)),
        format!(
            "failed {} of {} ({})",
            text::count(progress.failed),
            text::count(progress.requests),
            text::share(progress.failed, progress.requests)
        ),
        format!("in flight {}", text::count(progress.in_flight)),
    ];
    if let Some(lag) = progress.lag_p99_ms {
        parts.push(format!("send lag p99 {} ms", text::figure(lag)));
    }
    if let Some(verdict) = progress.verdict {
        parts.push(format!("so far {}", verdict_word(verdict)));
    }
    format!(
        "{} of {} ({}){} {}",
        text::clock(progress.elapsed_s),
        text::clock(progress.total_s),
        progress.percent(),
        if progress.warm_up { " warm-up:" } else { ":" },
        parts.join(", ")
    )
}

fn bar(part: f64, width: usize, ink: Ink) -> String {
    if width < 4 {
        return String::new();
    }
    // Between 0 and the width.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let done = ((part * width as f64).floor() as usize).min(width);
    format!("{}{}", ink.cyan(&"━".repeat(done)), ink.dim(&"─".repeat(width - done)))
}

/// Leaves coloured text alone: its parts were measured before. Plain text is cut for narrow terminals.
fn fit_coloured(text: &str, width: usize, colours: bool) -> String {
    if colours {
        text.to_owned()
    } else {
        text::fit(text, width.saturating_sub(1))
    }
}
