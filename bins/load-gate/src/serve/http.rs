//! The endpoints: reading a request, asking the board, starting the work, waiting for the end.

use super::{
    answer::{Answer, Trouble, Word},
    board::{Admission, Board, BoardRules, Check, Kind},
    metrics::Metrics,
    request::{Order, Refused, RequestRules},
    work::{Work, Worker},
};
use axum::{
    Router,
    body::Bytes,
    extract::{FromRequest as _, Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use runtime::{SecretSource, Shutdown, ShutdownTrigger};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// Bodies are a few ids; this is generous.
pub(crate) const LARGEST_BODY: usize = 16 * 1024;
/// Longest time to send one.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that the endpoints share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    rules: RequestRules,
    board: Mutex<Board>,
    worker: Worker,
    metrics: Metrics,
    shutdown: Shutdown,
    /// Told to the work when the drain period is over.
    stop: Shutdown,
    stop_trigger: ShutdownTrigger,
    running: watch::Sender<usize>,
}

impl Service {
    /// Nothing runs yet.
    pub(crate) fn new(
        rules: RequestRules,
        board: BoardRules,
        worker: Worker,
        metrics: Metrics,
        shutdown: Shutdown,
    ) -> Self {
        let (stop, stop_trigger) = Shutdown::manual();
        Self {
            shared: Arc::new(Shared {
                rules,
                board: Mutex::new(Board::new(board, super::work::clock())),
                worker,
                metrics,
                shutdown,
                stop,
                stop_trigger,
                running: watch::Sender::new(0),
            }),
        }
    }

    /// The endpoints; `None` lets everybody in.
    pub(crate) fn router(&self, token: Option<SecretSource>) -> Router {
        let router = Router::new()
            .route("/v1/evidence", post(evidence))
            .route("/v1/run", post(run))
            .route("/v1/checks/{id}", get(look))
            .route("/v1/checks/{id}/result", get(result))
            .method_not_allowed_fallback(async || {
                Answer::refused(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "this address does not take that method: POST to /v1/evidence and /v1/run, GET /v1/checks/{id}",
                )
            })
            .fallback(async || {
                Answer::refused(
                    StatusCode::NOT_FOUND,
                    "there is nothing here: POST to /v1/evidence or /v1/run, GET /v1/checks/{id}",
                )
            })
            .with_state(self.clone());
        match token {
            Some(token) => runtime::admin::require_bearer(router, token),
            None => router,
        }
    }

    /// After the first signal: until no check runs, or the drain period is over. Then the work is told to stop.
    pub(crate) async fn drained(&self) {
        self.shared.shutdown.recv().await;
        let mut running = self.shared.running.subscribe();
        tokio::select! {
            // The sender lives in `self`, so this cannot fail.
            _ = running.wait_for(|running| *running == 0) => {}
            () = self.shared.shutdown.over() => {}
        }
        self.shared.stop_trigger.trigger();
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Nothing panics while it holds the lock, and even then the board is whole.
        self.shared.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, kind: Kind, order: Result<Order, Refused>) -> Answer {
        let answer = match order {
            Ok(order) => self.check(order).await,
            Err(refused) => {
                let status = match refused {
                    Refused::Origin { .. } => StatusCode::FORBIDDEN,
                    Refused::Body { .. } | Refused::Empty { .. } | Refused::Field { .. } => StatusCode::BAD_REQUEST,
                };
                Answer::refused(status, refused.to_string())
            }
        };
        self.shared.metrics.answered(kind, answer.verdict());
        answer
    }

    async fn check(&self, order: Order) -> Answer {
        if self.shared.shutdown.is_draining() {
            return shutting_down();
        }
        let admission = self
            .board()
            .admit(&order.key, order.max_age, Instant::now(), super::work::clock());
        let (check, reused) = match admission {
            Admission::Started(check) => {
                self.start(&check);
                (check, false)
            }
            Admission::Joined(check) | Admission::Kept(check) => (check, true),
            Admission::Conflict(check) => {
                return Answer::refused(
                    StatusCode::CONFLICT,
                    format!(
                        "another load run of this release is on its way ({}); this one can start when it has ended",
                        check.id
                    ),
                );
            }
            Admission::Full { kind, limit } => {
                let (what, option) = match kind {
                    Kind::Run => ("load run", "--max-runs"),
                    Kind::Evidence => ("evidence check", "--max-evidence"),
                };
                let plural = if limit == 1 { "" } else { "s" };
                return Answer::refused(
                    StatusCode::TOO_MANY_REQUESTS,
                    format!("{limit} {what}{plural} on the way already, as many as {option} allows; ask again later"),
                );
            }
        };
        self.wait(&check, order.wait).await.unwrap_or_else(|| {
            let answer = Answer::of(&check, reused, Instant::now());
            if answer.verdict() != Word::Running {
                self.board().told(&check.id);
            }
            answer
        })
    }

    /// Until the end of the check, but not longer than `wait`; `Some` when we go before both.
    async fn wait(&self, check: &Check, wait: Duration) -> Option<Answer> {
        let mut end = check.end.clone();
        tokio::select! {
            biased;
            _ = end.wait_for(Option::is_some) => None,
            () = tokio::time::sleep(wait) => None,
            () = self.shared.shutdown.over() => Some(shutting_down()),
        }
    }

    /// Starts the work; it goes on when the caller goes away.
    fn start(&self, check: &Check) {
        let kind = check.key.what.kind();
        tracing::info!(id = %check.id, ?kind, release_id = %check.key.release_id, "check started");
        self.shared.metrics.started(kind);
        self.shared.running.send_modify(|running| *running += 1);
        let (service, id, started) = (self.clone(), check.id.clone(), check.started);
        // A task of its own, so that a check that breaks still comes to an end.
        let making = tokio::spawn((self.shared.worker)(Work {
            key: check.key.clone(),
            stop: self.shared.stop.clone(),
        }));
        tokio::spawn(async move {
            let outcome = match making.await {
                Ok(outcome) => outcome,
                Err(broken) => Err(Trouble::Internal(format!("the check broke off: {broken}"))),
            };
            let word = outcome.as_ref().map_or(Word::Error, |finding| finding.verdict.into());
            match &outcome {
                Ok(finding) => {
                    tracing::info!(id, ?kind, verdict = ?word, reasons = ?finding.reasons, "check ended");
                }
                Err(trouble) => tracing::error!(id, ?kind, error = %trouble, "check failed"),
            }
            let now = Instant::now();
            // Before those who wait are woken: who has an answer finds it counted.
            service.shared.metrics.ended(kind, word, now.duration_since(started));
            service.board().end(&id, outcome, now, super::work::clock());
            service.shared.running.send_modify(|running| *running -= 1);
        });
    }
}

fn shutting_down() -> Answer {
    Answer::refused(
        StatusCode::SERVICE_UNAVAILABLE,
        "shutting down; the check has to be started again",
    )
}

async fn evidence(State(service): State<Service>, request: Request) -> Answer {
    match body(request).await {
        Ok(body) => {
            let order = service.shared.rules.evidence(&body);
            service.ask(Kind::Evidence, order).await
        }
        Err(answer) => answer,
    }
}

async fn run(State(service): State<Service>, request: Request) -> Answer {
    match body(request).await {
        Ok(body) => {
            let order = service.shared.rules.run(&body);
            service.ask(Kind::Run, order).await
        }
        Err(answer) => answer,
    }
}

async fn look(State(service): State<Service>, Path(id): Path<String>) -> Answer {
    let now = Instant::now();
    match service.board().get(&id, now) {
        Some(check) => Answer::of(&check, true, now).looked_at(),
        None => unknown(&id),
    }
}

async fn result(State(service): State<Service>, Path(id): Path<String>) -> Response {
    let Some(check) = service.board().get(&id, Instant::now()) else {
        return unknown(&id).into_response();
    };
    let document = check
        .ended()
        .and_then(|ended| ended.outcome.as_ref().ok()?.document.clone());
    match document {
        Some(document) => (
            [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
            ],
            document,
        )
            .into_response(),
        None => Answer::refused(
            StatusCode::NOT_FOUND,
            "this check has no result document: only load runs have one, when they have ended",
        )
        .into_response(),
    }
}

fn unknown(id: &str) -> Answer {
    Answer::refused(
        StatusCode::NOT_FOUND,
        format!("no check {id:?} is known: it was forgotten (--keep-for, --keep, a restart) or never was"),
    )
}

/// The body, of a bounded size and in a bounded time.
async fn body(request: Request) -> Result<Bytes, Answer> {
    match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) => Err(Answer::refused(
            rejection.status(),
            format!("cannot read the body: {}", rejection.body_text()),
        )),
        Err(_) => Err(Answer::refused(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs()),
        )),
    }
}
