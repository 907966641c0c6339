//! Numbers as Go's `strconv.ParseFloat` reads them, because k6 reads limits and percentiles with it.
//!
//! Beyond what Rust's parser takes: hexadecimal mantissas with a binary exponent (`0x1p-2`), underscores between digits
//! (`1_000`), `Infinity`. Short of it: `+nan`, and numbers too large for a double, which Go refuses and Rust makes infinite.

/// Why text is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotANumber {
    /// It is written in no known way.
    Syntax,
    /// It is too large for a double.
    Range,
}

/// The number, with no white space around it.
pub(super) fn parse(text: &str) -> Result<f64, NotANumber> {
    if let Some(special) = special(text) {
        return Ok(special);
    }
    if !underscores_are_between_digits(text) {
        return Err(NotANumber::Syntax);
    }
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
    let magnitude = match unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        Some(rest) => hexadecimal(rest)?,
        // What is left of the differences: Rust takes "inf" and "nan" here, which `special` has dealt with.
        None if unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            unsigned.parse().map_err(|_| NotANumber::Syntax)?
        }
        None => return Err(NotANumber::Syntax),
    };
    if magnitude == f64::INFINITY {
        return Err(NotANumber::Range);
    }
    Ok(if digits.starts_with('-') { -magnitude } else { magnitude })
}

fn special(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "inf" | "+inf" | "infinity" | "+infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        "nan" => Some(f64::NAN),
        _ => None,
    }
}

/// An underscore stands between two digits, or between the prefix `0x` and a digit.
fn underscores_are_between_digits(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let hex = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    // The x of the prefix counts as a digit.
    let digit = |c: char| c.is_ascii_digit() || hex && (c.is_ascii_hexdigit() || c == 'x' || c == 'X');
    let chars: Vec<char> = unsigned.chars().collect();
    chars.iter().enumerate().all(|(index, c)| {
        let before = index.checked_sub(1).and_then(|i| chars.get(i)).copied();
        *c != '_' || before.is_some_and(digit) && chars.get(index + 1).copied().is_some_and(digit)
    })
}

/// `1.8p-3` after `0x`: the exponent is not optional.
fn hexadecimal(text: &str) -> Result<f64, NotANumber> {
    let (mantissa, exponent) = text.split_once(['p', 'P']).ok_or(NotANumber::Syntax)?;
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if exponent_digits.is_empty() || !exponent_digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotANumber::Syntax);
    }
    // Longer than any exponent that matters: only its sign does.
    let exponent = exponent_digits.parse::<i32>().unwrap_or(1_000_000).min(1_000_000)
        * if exponent.starts_with('-') { -1 } else { 1 };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return Err(NotANumber::Syntax);
    }
    let mut value: u64 = 0;
    let mut scale = exponent;
    for (is_fraction, c) in whole
        .chars()
        .map(|c| (false, c))
        .chain(fraction.chars().map(|c| (true, c)))
    {
        let digit = c.to_digit(16).ok_or(NotANumber::Syntax)?;
        if value >> 60 == 0 {
            value = value << 4 | u64::from(digit);
            scale -= if is_fraction { 4 } else { 0 };
        } else {
            // No room: what is cut off only matters for rounding, where one bit says that there was something.
            value |= u64::from(digit != 0);
            scale += if is_fraction { 0 } else { 4 };
        }
    }
    Ok(scale_by_power_of_two(value as f64, scale))
}

/// `value * 2^power` without an intermediate overflow.
fn scale_by_power_of_two(mut value: f64, mut power: i32) -> f64 {
    while power != 0 && value != 0.0 && value.is_finite() {
        let step = power.clamp(-1000, 1000);
        value *= 2f64.powi(step);
        power -= step;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // What Go 1.26 answers, by running it on each text.
    #[test]
    fn reads_as_go_does() {
        let good: &[(&str, f64)] = &[
            ("350", 350.0),
            ("+5", 5.0),
            ("-5", -5.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1E-3", 0.001),
            ("1_000", 1000.0),
            ("0x1p-2", 0.25),
            ("0X1P+2", 4.0),
            ("0x.8p1", 1.0),
            ("0x1_0p0", 16.0),
            ("0x1p1_0", 1024.0),
            ("0x1.p1", 2.0),
            ("0x1p-9999999999999", 0.0),
            ("0x_1p0", 1.0),
            ("-0x1.8p1", -3.0),
            ("0x1fffffffffffffp0", 9_007_199_254_740_991.0),
            ("0x1p-1074", 5e-324),
            ("1e-400", 0.0),
            ("1_2.5_0e1_0", 125_000_000_000.0),
        ];
        for (text, number) in good {
            assert_eq!(parse(text).map(f64::to_bits), Ok(number.to_bits()), "{text}");
        }
        assert_eq!(parse("inf"), Ok(f64::INFINITY));
        assert_eq!(parse("-Infinity"), Ok(f64::NEG_INFINITY));
        assert!(parse("NaN").is_ok_and(f64::is_nan));
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in [
            "", " ", "+", ".", "e5", "1e", "1e+", "1e5.5", "--5", "+nan", "-nan", "infinit", "0b1", "0o7", "0x10",
            "0xp1", "0x.p1", "0x1p", "0x1p+", "0x1pa", "0x1p_1", "0x1_p1", "_1", "1_", "1__0", "1_.5", "1._5", "1_e5",
            "1e_5", "0_x1p0", "1,000", "1 000", "350ms", "\u{ff11}",
        ] {
            assert_eq!(parse(text), Err(NotANumber::Syntax), "{text}");
        }
        for text in ["1e400", "-1e400", "0x1p1024", "0x1p99999999999"] {
            assert_eq!(parse(text), Err(NotANumber::Range), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_double_comes_back(bits: u64) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            prop_assert_eq!(parse(&format!("{number:e}")).map(f64::to_bits), Ok(number.to_bits()));
        }

        #[test]
        fn hexadecimal_means_what_it_says(mantissa in 0u64..1 << 53, exponent in -60i32..60) {
            prop_assert_eq!(parse(&format!("0x{mantissa:x}p{exponent}")), Ok(mantissa as f64 * 2f64.powi(exponent)));
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,12}", odd in "[-+0-9a-fxXpP_.eE]{0,12}") {
            let _ = parse(&text);
            if let Ok(number) = parse(&odd) {
                prop_assert!(number.is_finite());
            }
        }
    }
}
