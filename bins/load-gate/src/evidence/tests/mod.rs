//! Ten thousand answers that are nearly right, over real sockets, through the same check that the command and `serve` use:
//! it passes exactly where a second reader, written for this test alone, finds a right answer that says yes.

mod mutate;
mod oracle;
mod server;

use std::time::Duration;

use load_verdict::Verdict;
use mc_client::EvidenceClient;
use runtime::{HttpOptions, Shutdown};

use super::age::AgeRule;
use super::ask::{Options, check};
use super::subject::Subject;
use mutate::{Answer, Dice};
use oracle::Word;

const ANSWERS: u64 = 10_000;
const SERVICE: &str = "cos";

fn options(url: &str) -> Options {
    let http = HttpOptions {
        no_proxy: true,
        ..HttpOptions::default()
    };
    let client = runtime::http::client(&http).unwrap();
    Options {
        client: EvidenceClient::new(client, &url.parse().unwrap(), None),
        token: None,
        deadline: Duration::ZERO,
        poll_interval: Duration::from_secs(1),
        ask_timeout: Duration::from_secs(20),
        age: AgeRule {
            max_age: Duration::from_hours(1),
            required: false,
        },
        clock: jiff::Timestamp::now,
    }
}

async fn verdict(options: &Options) -> super::EvidenceResult {
    let (shutdown, _trigger) = Shutdown::manual();
    check(options, &Subject::new(SERVICE, "r1").unwrap(), &shutdown).await
}

#[tokio::test]
async fn no_answer_that_is_nearly_right_passes() {
    let server = server::Server::start().await;
    let options = options(&server.url());
    let (mut yes, mut no, mut neither) = (0_u64, 0_u64, 0_u64);
    for seed in 0..ANSWERS {
        let answer = mutate::answer(&mut Dice::new(seed));
        server.serve(&answer);
        let result = verdict(&options).await;
        let word = oracle::word(&answer, SERVICE);
        let expected = match word {
            Some(Word::Yes) => Verdict::Pass,
            Some(Word::No) => Verdict::Fail,
            None if result.verdict == Verdict::Inconclusive => Verdict::Inconclusive,
            None => Verdict::Invalid,
        };
        assert_eq!(
            result.verdict,
            expected,
            "seed {seed}: {} {:?} {}\n{result:?}",
            answer.status,
            answer.content_type,
            String::from_utf8_lossy(&answer.body)
        );
        assert_eq!(
            result.exit() == runtime::exit::Exit::Done,
            word == Some(Word::Yes),
            "seed {seed}"
        );
        assert_eq!(result.ok == Some(true), word == Some(Word::Yes), "seed {seed}");
        match word {
            Some(Word::Yes) => yes += 1,
            Some(Word::No) => no += 1,
            None => neither += 1,
        }
    }
    // The mutations must be such that each side is tried often: an oracle that never says yes would prove nothing.
    assert!(
        yes > 500 && no > 500 && neither > 5_000,
        "{yes} yes, {no} no, {neither} neither"
    );
}

#[tokio::test]
async fn the_answers_that_are_mutated_are_right_ones() {
    let server = server::Server::start().await;
    let options = options(&server.url());
    for (body, expected) in [(mutate::GOOD, Verdict::Pass), (mutate::BAD, Verdict::Fail)] {
        server.serve(&Answer::json(body));
        assert_eq!(verdict(&options).await.verdict, expected, "{body}");
    }
}
