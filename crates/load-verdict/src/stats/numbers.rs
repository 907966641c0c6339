//! How figures are written for people: few digits, thousands apart, the unit behind.

/// `15,000`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three significant digits, or all before the point: `0.0413`, `12.3`, `1,234`.
pub(crate) fn figure(value: f64) -> String {
    if !value.is_finite() {
        return if value > 0.0 {
            "infinite".to_owned()
        } else {
            "unbounded".to_owned()
        };
    }
    let magnitude = value.abs();
    if (1000.0..1e15).contains(&magnitude) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = count(magnitude.round() as u64);
        return if value < 0.0 { format!("-{whole}") } else { whole };
    }
    trimmed(value, decimals(magnitude))
}

/// `12.3 ms`; `infinite` for `None`.
pub(crate) fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "infinite".to_owned(), |value| format!("{} ms", figure(value)))
}

/// A share from 0 to 1 as `4.97 %`: as many digits as tell it from 0 % and 100 %.
pub(crate) fn percent(share: f64) -> String {
    let rest = share.min(1.0 - share).max(0.0) * 100.0;
    let decimals = if rest > 0.0 { decimals(rest) } else { 4 };
    format!("{} %", trimmed(share * 100.0, decimals))
}

/// How far a ratio is from 1: `8 %` for 1.08 and for 0.92.
pub(crate) fn percent_above(ratio: f64) -> String {
    format!("{} %", figure((ratio - 1.0).abs() * 100.0))
}

/// Decimals that show three significant digits of a figure below 1,000.
fn decimals(magnitude: f64) -> usize {
    if magnitude == 0.0 {
        return 0;
    }
    let mut bound = 100.0;
    let mut decimals = 0;
    while magnitude < bound && decimals < 9 {
        bound /= 10.0;
        decimals += 1;
    }
    decimals
}

fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_keep_their_meaning() {
        let counts: Vec<_> = [0, 999, 1000, 15_000, 1_234_567].into_iter().map(count).collect();
        assert_eq!(counts, ["0", "999", "1,000", "15,000", "1,234,567"]);
        let figures: Vec<_> = [
            0.0,
            0.041_29,
            12.34,
            350.0,
            999.96,
            1234.5,
            -0.000_000_000_01,
            -2500.0,
            f64::INFINITY,
        ]
        .into_iter()
        .map(figure)
        .collect();
        assert_eq!(
            figures,
            ["0", "0.0413", "12.3", "350", "1000", "1,235", "0", "-2,500", "infinite"]
        );
        let percents: Vec<_> = [0.0, 1.0, 0.05, 0.0497, 0.5, 0.999_993_3, 1.0 / 15_000.0]
            .into_iter()
            .map(percent)
            .collect();
        assert_eq!(
            percents,
            ["0 %", "100 %", "5 %", "4.97 %", "50 %", "99.99933 %", "0.00667 %"]
        );
        assert_eq!(ms(None), "infinite");
    }
}
