//! The regularised incomplete beta function, accurate for parameters from below 1 to 1e9.
//!
//! Own code, because no well-kept crate is right here: statrs (0.19.1) stops its continued fraction after 140 terms and
//! takes differences of large `ln_gamma`s, which is wrong by 2 % at parameters of 1e6 and outside of [0, 1] at 1e8
//! (statrs issue 434).
//!
//! Sources: the continued fraction is DLMF 8.17.22 (<https://dlmf.nist.gov/8.17.v>), evaluated by Lentz's method
//! (Thompson and Barnett 1986). The factor before it is written with deviances and Stirling errors, so that nothing large
//! cancels: C. Loader, "Fast and accurate computation of binomial probabilities" (2000).

use std::f64::consts::PI;

/// Both tails of a distribution, and their logarithms (which stay finite where the tail itself is too small for a number).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tails {
    /// Probability below.
    pub lower: f64,
    /// Probability above.
    pub upper: f64,
    /// Natural logarithm of `lower`.
    pub ln_lower: f64,
    /// Natural logarithm of `upper`.
    pub ln_upper: f64,
}

impl Tails {
    /// From the smaller tail's logarithm.
    fn of(ln_small: f64, small_is_lower: bool) -> Self {
        let ln_small = ln_small.min(0.0);
        let small = ln_small.exp();
        let (large, ln_large) = (1.0 - small, (-small).ln_1p());
        if small_is_lower {
            Self {
                lower: small,
                upper: large,
                ln_lower: ln_small,
                ln_upper: ln_large,
            }
        } else {
            Self {
                lower: large,
                upper: small,
                ln_lower: ln_large,
                ln_upper: ln_small,
            }
        }
    }
}

/// `I_x(a, b)` and its complement: the probabilities that a Beta(a, b) variable is below and above `x`.
///
/// `a` and `b` are positive, or one of them is 0 (then all mass sits at that end). `x` outside of [0, 1] counts as its end.
pub fn tails(a: f64, b: f64, x: f64) -> Tails {
    if x <= 0.0 || (b <= 0.0 && x < 1.0) {
        return Tails::of(f64::NEG_INFINITY, true);
    }
    if x >= 1.0 || a <= 0.0 {
        return Tails::of(f64::NEG_INFINITY, false);
    }
    // On this side of the mean the fraction converges fast, and gives the smaller tail (or about half).
    if x < (a + 1.0) / (a + b + 2.0) {
        Tails::of(ln_kernel(a, b, x) - a.ln() + fraction(a, b, x).ln(), true)
    } else {
        Tails::of(ln_kernel(a, b, x) - b.ln() + fraction(b, a, 1.0 - x).ln(), false)
    }
}

/// `ln(x^a (1-x)^b / B(a, b))` for positive `a` and `b` and `0 < x < 1`.
pub fn ln_kernel(a: f64, b: f64, x: f64) -> f64 {
    let n = a + b;
    // a - n x, which is also n (1-x) - b: taken from the end that is exact.
    let excess = if x <= 0.5 { a - n * x } else { n * (1.0 - x) - b };
    // Loader's form of the binomial probability of `a` out of `n`, times a b / n.
    let ln_probability = stirling_error(n)
        - stirling_error(a)
        - stirling_error(b)
        - deviance(a, n * x, excess)
        - deviance(b, n * (1.0 - x), -excess)
        + 0.5 * (n / (2.0 * PI * a * b)).ln();
    ln_probability + (a * b / n).ln()
}

/// The continued fraction of DLMF 8.17.22 without the factor before it, for `x < (a+1)/(a+b+2)`.
// The letters are those of the sources.
#[allow(clippy::many_single_char_names)]
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const PRECISION: f64 = 1e-15;
    // It takes of the order of sqrt(max(a, b)) terms close to the mean, and few elsewhere.
    const MOST_TERMS: u32 = 10_000_000;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for m in 1..MOST_TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        result *= c * d;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        result *= c * d;
        if (c * d - 1.0).abs() <= PRECISION {
            break;
        }
    }
    result
}

/// `ln Gamma(x+1) - ((x + 1/2) ln x - x + ln(2 pi)/2)` for `x > 0`: what Stirling's formula leaves.
fn stirling_error(x: f64) -> f64 {
    if x < 15.0 {
        // One step of the recurrence of the gamma function.
        return stirling_error(x + 1.0) + (x + 0.5) * (1.0 / x).ln_1p() - 1.0;
    }
    let square = x * x;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - (1.0 / 1188.0) / square) / square) / square) / square)
        / x
}

/// `x ln(x / mean) - difference` with `difference = x - mean`, without cancellation when both are close.
fn deviance(x: f64, mean: f64, difference: f64) -> f64 {
    if difference.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - difference;
    }
    // ln(x/mean) = 2 artanh(v), so the sum is (x-mean) v + 2x (v^3/3 + v^5/5 + ...).
    let v = difference / (x + mean);
    let mut sum = difference * v;
    let mut power = 2.0 * x * v;
    for j in 1..100 {
        power *= v * v;
        let next = sum + power / f64::from(2 * j + 1);
        if next.to_bits() == sum.to_bits() {
            break;
        }
        sum = next;
    }
    sum
}

/// The `x` at which the upper tail of Beta(a, b) is `ln_tail` (natural logarithm).
pub fn quantile_of_upper(a: f64, b: f64, ln_tail: f64) -> f64 {
    root(|x| ln_tail - tails(a, b, x).ln_upper)
}

/// The `x` at which the lower tail of Beta(a, b) is `ln_tail` (natural logarithm).
pub fn quantile_of_lower(a: f64, b: f64, ln_tail: f64) -> f64 {
    root(|x| tails(a, b, x).ln_lower - ln_tail)
}

/// Where `f`, which grows from below to above 0, is 0 between 0 and 1: the Illinois variant of regula falsi (Dowell and Jarratt 1971),
/// with a bisection every third time so that nothing can slow it down for long.
fn root(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let (mut f_low, mut f_high) = (f64::NEG_INFINITY, f64::INFINITY);
    for step in 0..400 {
        if high - low <= 1e-14 * high {
            break;
        }
        let middle = f64::midpoint(low, high);
        let guess = (low * f_high - high * f_low) / (f_high - f_low);
        let x = if step % 3 != 2 && guess > low && guess < high {
            guess
        } else {
            middle
        };
        if x <= low || x >= high {
            break;
        }
        let value = f(x);
        if value.abs() < 1e-14 {
            return x;
        }
        if value < 0.0 {
            (low, f_low, f_high) = (x, value, f_high / 2.0);
        } else {
            (high, f_high, f_low) = (x, value, f_low / 2.0);
        }
    }
    f64::midpoint(low, high)
}

/// `t` with `P(T > t) = tail` for Student's t with `freedom` degrees of freedom, `0 < tail < 1/2`.
pub fn student_t(freedom: f64, tail: f64) -> f64 {
    // P(|T| > t) = I_x(freedom/2, 1/2) with x = freedom / (freedom + t^2): DLMF and any textbook.
    let x = quantile_of_lower(freedom / 2.0, 0.5, (2.0 * tail).ln());
    (freedom * (1.0 - x) / x).sqrt()
}
