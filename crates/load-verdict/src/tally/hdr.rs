//! Histograms as text: HdrHistogram's V2 format, deflated, in base64, as its log files carry them. Values are nanoseconds.
//!
//! Written here, because the `hdrhistogram` crate's writer wants its own histogram with every bucket in memory (up to 9 bytes for
//! each of 340,000), just when a small generator is at its largest; read by that crate, and the tests compare with it.
//! Format: HdrHistogram's `AbstractHistogram.encodeIntoByteBuffer` (V2): cookie, payload length, normalising offset, significant
//! digits, lowest and highest value, conversion ratio (all big-endian), then counts as ZigZag LEB128, where a negative number `-n`
//! stands for `n` empty buckets.

use super::histogram::{Digits, Histogram, UNIT_BITS};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::serialization::Deserializer;
use std::io::Write as _;

const COOKIE_V2: u32 = 0x1c84_9303 | 0x10;
const COOKIE_V2_DEFLATED: u32 = 0x1c84_9304 | 0x10;

/// Writes a histogram. Sum, smallest and largest are not in the format, beyond what the buckets say.
pub(super) fn encode(histogram: &Histogram) -> Result<String, std::io::Error> {
    let mut counts = Vec::new();
    let mut next = 0;
    for bucket in histogram.buckets() {
        if bucket.index > next {
            zigzag(&mut counts, -i64::try_from(bucket.index - next).unwrap_or(i64::MAX));
        }
        zigzag(&mut counts, i64::try_from(bucket.count).unwrap_or(i64::MAX));
        next = bucket.index + 1;
    }
    // The highest value that must be representable: at least twice the lowest, by the format's rules.
    let highest = histogram
        .buckets()
        .last()
        .map_or(0, |bucket| bucket.end - 1)
        .max(2 << UNIT_BITS);
    let mut plain = Vec::with_capacity(40 + counts.len());
    plain.extend(COOKIE_V2.to_be_bytes());
    plain.extend(length(&counts)?.to_be_bytes());
    plain.extend(0u32.to_be_bytes());
    plain.extend(u32::from(histogram.digits().significant()).to_be_bytes());
    plain.extend((1u64 << UNIT_BITS).to_be_bytes());
    plain.extend(highest.to_be_bytes());
    plain.extend(1f64.to_be_bytes());
    plain.extend(counts);
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(&plain)?;
    let deflated = deflate.finish()?;
    let mut whole = Vec::with_capacity(8 + deflated.len());
    whole.extend(COOKIE_V2_DEFLATED.to_be_bytes());
    whole.extend(length(&deflated)?.to_be_bytes());
    whole.extend(deflated);
    Ok(STANDARD.encode(whole))
}

fn length(bytes: &[u8]) -> Result<u32, std::io::Error> {
    u32::try_from(bytes.len()).map_err(std::io::Error::other)
}

fn zigzag(out: &mut Vec<u8>, number: i64) {
    leb128(out, (number << 1 ^ number >> 63).cast_unsigned());
}

fn leb128(out: &mut Vec<u8>, mut rest: u64) {
    // The ninth byte holds eight bits, so that 64 bits need no tenth.
    for _ in 0..8 {
        if rest < 0x80 {
            break;
        }
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)]
    out.push(rest as u8);
}

/// Ascending numbers, each with a count, as text: the distance from the number before, and the count.
pub(super) fn encode_pairs(pairs: impl Iterator<Item = (usize, u32)>) -> String {
    let (mut bytes, mut last) = (Vec::new(), 0);
    for (number, count) in pairs {
        leb128(&mut bytes, (number - last) as u64);
        leb128(&mut bytes, u64::from(count));
        last = number;
    }
    STANDARD.encode(bytes)
}

/// What [`encode_pairs`] wrote; `None`: something else.
pub(super) fn decode_pairs(text: &str) -> Option<Vec<(usize, u32)>> {
    let bytes = STANDARD.decode(text).ok()?;
    let (mut pairs, mut last, mut rest) = (Vec::new(), 0usize, bytes.as_slice());
    while !rest.is_empty() {
        let distance = read_leb128(&mut rest)?;
        let count = read_leb128(&mut rest)?;
        last = last.checked_add(usize::try_from(distance).ok()?)?;
        pairs.push((last, u32::try_from(count).ok()?));
    }
    Some(pairs)
}

fn read_leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    // Nothing here needs more than 32 bits.
    for shift in (0..35).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Why text is no histogram of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HdrError {
    /// Not base64.
    #[error("it is not base64")]
    Base64(#[source] base64::DecodeError),
    /// Not HdrHistogram's format.
    #[error("it is not in HdrHistogram's V2 format: {0}")]
    Format(String),
    /// The buckets are other ones.
    #[error("its lowest value is {lowest} ns and it has {digits} significant digits, expected 16 ns and 3 or 4 digits")]
    Buckets {
        /// Lowest discernible value.
        lowest: u64,
        /// Significant digits.
        digits: u8,
    },
    /// Counts that do not add up to what was said.
    #[error("it holds {found} values, expected {expected}")]
    Count {
        /// Values in it.
        found: u64,
        /// Values that were said to be in it.
        expected: u64,
    },
}

/// Reads a histogram; `exact` are count, sum, smallest and largest value.
pub(super) fn decode(text: &str, exact: [u64; 4]) -> Result<Histogram, HdrError> {
    let bytes = STANDARD.decode(text).map_err(HdrError::Base64)?;
    let read: hdrhistogram::Histogram<u64> = Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| HdrError::Format(error.to_string()))?;
    let digits = match (read.low(), read.sigfig()) {
        (lowest, 3) if lowest == 1 << UNIT_BITS => Digits::Three,
        (lowest, 4) if lowest == 1 << UNIT_BITS => Digits::Four,
        (lowest, digits) => return Err(HdrError::Buckets { lowest, digits }),
    };
    let [expected, sum, min, max] = exact;
    let found = read.len();
    if found != expected {
        return Err(HdrError::Count { found, expected });
    }
    let buckets = read
        .iter_recorded()
        .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()));
    Ok(Histogram::restore(digits, buckets, sum, min, max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(histogram: &Histogram) -> [u64; 4] {
        [
            histogram.count(),
            histogram.sum(),
            histogram.min().unwrap_or(0),
            histogram.max().unwrap_or(0),
        ]
    }

    proptest! {
        // The library's histograms are large, and slow without optimisation.
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_library_reads_what_was_written(values in proptest::collection::vec((0u32..41).prop_flat_map(|bits| 0..=1u64 << bits), 0..200), repeat in 1u64..8) {
            for digits in [Digits::Three, Digits::Four] {
                let mut ours = Histogram::new(digits);
                let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(16, (1 << 40) - 1, digits.significant()).unwrap();
                for value in &values {
                    for _ in 0..repeat {
                        ours.record(*value);
                    }
                    theirs.record_n((*value).min((1 << 40) - 1), repeat).unwrap();
                }
                let text = encode(&ours).unwrap();
                let read: hdrhistogram::Histogram<u64> = Deserializer::new().deserialize(&mut STANDARD.decode(&text).unwrap().as_slice()).unwrap();
                prop_assert_eq!(read.len(), theirs.len());
                for q in [0.0, 0.5, 0.95, 0.99, 1.0] {
                    prop_assert_eq!(read.value_at_quantile(q), theirs.value_at_quantile(q));
                }
                prop_assert!(decode(&text, exact(&ours)).unwrap() == ours);
            }
        }

        #[test]
        fn pairs_come_back(pairs in proptest::collection::btree_map(0usize..100_000, any::<u32>(), 0..50)) {
            let pairs: Vec<(usize, u32)> = pairs.into_iter().collect();
            let text = encode_pairs(pairs.iter().copied());
            prop_assert_eq!(decode_pairs(&text), Some(pairs));
        }

        #[test]
        fn other_pairs_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(pairs) = decode_pairs(&STANDARD.encode(&bytes)) {
                prop_assert!(pairs.windows(2).all(|pair| pair[0].0 <= pair[1].0));
            }
        }

        #[test]
        fn broken_text_is_an_error(text in "\\PC{0,40}", cut in 0usize..60) {
            prop_assert!(decode(&text, [1, 0, 0, 0]).is_err());
            let mut histogram = Histogram::new(Digits::Four);
            for value in 0..100 {
                histogram.record(value * 1000);
            }
            let whole = encode(&histogram).unwrap();
            // The last bytes are the checksum of the compression, which the library does not read to its end: without them
            // the same figures come back. Never others.
            let read = decode(&whole[..cut.min(whole.len() - 1)], exact(&histogram));
            prop_assert!(read.is_err() || read.is_ok_and(|read| read == histogram));
            prop_assert!(decode(&whole, [99, 0, 0, 0]).is_err());
        }
    }

    #[test]
    fn other_buckets_are_refused() {
        let mut other = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1 << 30, 3).unwrap();
        other.record(5).unwrap();
        let mut bytes = Vec::new();
        hdrhistogram::serialization::Serializer::serialize(
            &mut hdrhistogram::serialization::V2DeflateSerializer::new(),
            &other,
            &mut bytes,
        )
        .unwrap();
        assert_eq!(
            decode(&STANDARD.encode(bytes), [1, 5, 5, 5]),
            Err(HdrError::Buckets { lowest: 1, digits: 3 })
        );
    }
}
