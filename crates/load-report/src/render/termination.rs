//! The message that Kubernetes keeps of a finished container: at most 4096 bytes, read by a person in a hurry.

use crate::document::ResultDoc;
use crate::text;
use crate::view::{self, verdict_word};
use load_verdict::Verdict;

/// What the kubelet keeps of `/dev/termination-log`, in bytes.
pub const TERMINATION_LIMIT: usize = 4096;

/// Characters of one reason: the first must not leave the others out.
const LINE: usize = 400;

/// Verdict, reasons and the thresholds that were not kept; in whole lines, the most important first.
pub fn termination(doc: &ResultDoc) -> String {
    let judgement = &doc.judgement;
    let mut lines = vec![format!("{}: {}", verdict_word(judgement.verdict), doc.subject)];
    lines.extend(judgement.reasons.iter().cloned());
    lines.extend(view::partial(doc));
    for result in judgement.thresholds.iter().filter(|t| t.verdict != Verdict::Pass) {
        let asked = view::asked(result);
        lines.push(format!(
            "{} {} {}: judged {}, limit {}",
            verdict_word(result.verdict),
            result.metric,
            result.expression,
            view::observed(result, asked.unit),
            view::limit(asked),
        ));
    }
    lines.push(format!(
        "{} requests, {} not answered rightly; exit code {}",
        text::count(doc.summary.scheduled),
        text::count(view::failed(doc)),
        doc.exit_code
    ));
    let mut message = String::new();
    for line in lines {
        let line = text::shorten(&text::printable(&line), LINE);
        // Room for the ellipsis that says that there was more.
        if message.len() + line.len() + 1 + "…".len() > TERMINATION_LIMIT {
            message.push('…');
            break;
        }
        message.push_str(&line);
        message.push('\n');
    }
    message
}
