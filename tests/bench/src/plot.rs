//! Owns bars in a terminal.

use std::fmt::Write as _;

const WIDTH: usize = 40;
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// One line for each value: name, bar, text.
pub(crate) fn bars(rows: &[(String, f64, String)]) -> String {
    let most = rows.iter().map(|(_, value, _)| *value).fold(0.0, f64::max);
    let names = rows.iter().map(|(name, _, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value, label) in rows {
        let bar = bar(if most > 0.0 { value / most } else { 0.0 });
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {name:<names$}  {bar:<WIDTH$}  {label}");
    }
    text
}

/// How samples spread: ten classes of equal width from zero to the largest.
pub(crate) fn histogram(samples: &[f64], unit: &str) -> String {
    let most = samples.iter().copied().fold(0.0, f64::max);
    let classes = 10_u32;
    let width = most / f64::from(classes);
    let rows: Vec<_> = (0..classes)
        .map(|class| {
            let (from, to) = (f64::from(class) * width, f64::from(class + 1) * width);
            let last = class + 1 == classes;
            let count = samples
                .iter()
                .filter(|sample| **sample >= from && (**sample < to || last))
                .count();
            (
                format!("{from:>5.0} to {to:>5.0} {unit}"),
                count as f64,
                count.to_string(),
            )
        })
        .collect();
    bars(&rows)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the share is between 0 and 1"
)]
fn bar(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * (WIDTH * 8) as f64).round() as usize;
    let mut text = "█".repeat(eighths / 8);
    // No space at the end of a whole number of blocks.
    text.extend(EIGHTHS.get(eighths % 8).filter(|part| **part != ' '));
    text
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, bar, bars};

    #[test]
    fn the_largest_value_has_the_longest_bar() {
        assert_eq!(bar(1.0).chars().count(), WIDTH);
        assert_eq!(bar(0.5).chars().count(), WIDTH / 2);
        assert_eq!(bar(0.0), "");
        let text = bars(&[("a".into(), 2.0, "two".into()), ("bb".into(), 1.0, "one".into())]);
        assert!(text.lines().next().unwrap().contains(&"█".repeat(WIDTH)));
        assert_eq!(text.lines().count(), 2);
    }
}
