//! How OPA 1.22.2 behaves towards a bundle server: facts seen on the real program, which a server is built from.
//! This module has no code.
//!
//! # The poll
//! ```text
//! GET /bundles/policy HTTP/1.1
//! User-Agent: Open-Policy-Agent/1.22.2 (linux, amd64)
//! Authorization: Bearer <token>                    (if configured; also on POST /status)
//! Prefer: modes=snapshot,delta;wait=10             (from the first poll on)
//! If-None-Match: "sha256:…"                        (the ETag of the last ACTIVATED bundle, byte for byte; absent before)
//! ```
//! - One OPA has one poll at a time, so the next poll is itself the acknowledgement of the answer before: with the
//!   new ETag the bundle is active (2 to 5 ms after a small one was sent), with the old one it was refused.
//! - With `superseded_etag_ttl_seconds` (off by default) `If-None-Match` is a list, the active one first.
//! - Nothing in a poll tells two OPAs apart but the TCP connection, which stays the same while all is well. Only status
//!   posts carry `labels.id`, a new random one for each OPA process; `GET /v1/config` shows the same id.
//!
//! # What follows each answer
//! | answer | next poll | status post |
//! |---|---|---|
//! | 200 `application/vnd.openpolicyagent.bundles`, activated | at once | yes, with the revision |
//! | 200, not activated | backoff: 0, then 0.16 s growing by 1.6 (±20 %), at most `max_delay_seconds` (+20 %) | yes, each time |
//! | 304 after holding the poll | at once; also before any bundle was active, and without an ETag | yes |
//! | 304 at once | at once: a loop of 4,500 polls a second if repeated; one of them provokes a status post | yes |
//! | 200 with the ETag that OPA sent | activates it again and polls at once: a loop too | yes |
//! | 200 with another content type | activates, but goes back to polling without holding, after min to max delay | yes |
//! | 404, 503, … | backoff as above; `Retry-After` is ignored | yes, with `http_code` |
//! | connection closed while held | Go sends the GET again at once, on a new connection | no |
//! | connection refused | backoff as above: polls at most 1.2 × `max_delay_seconds` after the server is back | lost |
//!
//! - "No pack yet" is best answered by holding the poll and then 304: no error, no backoff, and `/health?bundles` stays 500.
//! - After a refusal, going back to the ETag that OPA has (and holding) ends the retries; the next 304 clears the error
//!   from the status.
//! - While it long-polls, OPA has no time limit on the answer. Without `TCP_NODELAY` an answer sent as head and
//!   body may be 40 ms late.
//!
//! # The status posts
//! - `POST /status`, or `/status/<partition_name>`; any 2xx is fine; about 60 KB, uncompressed.
//! - After every finished poll, and when a plugin's state changes: at OPA's start two or three come without `bundles`, and one
//!   with the state before may come between a download and the post about it.
//! - A post that fails is never repeated.
//! - On SIGTERM the last post says `request failed: … context canceled`, which is no refusal. `kill -9` says nothing.
//!
//! # REST, where it surprises
//! - `PATCH /v1/data` needs the parent of each path, which an earlier operation of the same call may add;
//!   `PUT /v1/data/a/b` makes parents itself.
//! - An undefined decision is 200 `{}`; `{"input": null}` counts as no input.
//! - A fault may come as words only, without `errors[]`: data at a rule's path, an empty policy.
//! - Policies of a bundle have the id `<bundle name>/<entry name>`.
//! - The pointers of `PATCH /v1/data` and the names in a downloaded bundle are percent-decoded.
//! - A segment with `"` can be written but not read (500 `invalid ref term`).
//! - `PUT /v1/data` with `If-None-Match: *` leaves alone what is there and answers 304.
//! - Empty or dotted path segments are redirected to another document by Go's HTTP server, so they are refused here.
