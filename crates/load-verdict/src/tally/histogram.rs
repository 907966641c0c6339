//! Durations in constant memory: HDR's buckets, filled in chunks, read with interpolation.
//!
//! The buckets are those of HdrHistogram (`digits` significant digits, lowest discernible value 16 ns), so that its V2
//! format carries them without loss (`hdr.rs`). Why not the `hdrhistogram` crate's own type in the hot path: it allocates and
//! writes the whole range at once (1.5 MiB for four digits, of which a run uses a tenth), and it answers with a bucket's
//! edge, where the position inside of the bucket is known to a fraction.
//!
//! | digits | relative width of a bucket | whole range | in use by a typical run |
//! |---|---|---|---|
//! | 4 | 1/32768 to 1/16384 | 1.5 MiB | 0.1 to 0.5 MiB |
//! | 3 | 1/2048 to 1/1024 | 0.1 MiB | 8 to 60 KiB |

use std::fmt;

/// Values are kept in units of `2^UNIT_BITS` ns.
pub(super) const UNIT_BITS: u32 = 4;
/// Values from here on (18 minutes) share the last bucket; count, sum, smallest and largest stay exact.
const TOP: u64 = (1 << 40) - 1;
/// Buckets that are allocated together: a page.
const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// How finely values are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    /// Three significant digits.
    Three,
    /// Four significant digits.
    Four,
}

impl Digits {
    /// As HdrHistogram counts them.
    pub(super) const fn significant(self) -> u8 {
        match self {
            Self::Three => 3,
            Self::Four => 4,
        }
    }

    /// Two to this many buckets are as narrow as the unit; half as many follow for every doubling.
    const fn bits(self) -> u32 {
        match self {
            Self::Three => 11,
            Self::Four => 15,
        }
    }
}

/// A histogram of nanoseconds.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Histogram {
    digits: Digits,
    chunks: Vec<Option<Box<[u32; CHUNK]>>>,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count)
            .field("min", &self.min)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

impl Histogram {
    pub(super) fn new(digits: Digits) -> Self {
        Self {
            digits,
            chunks: vec![None; (index(digits, TOP) >> CHUNK_BITS) + 1],
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    /// Counts one value. Allocates only when a value falls where none was before, a page at a time.
    #[inline]
    pub(super) fn record(&mut self, value: u64) {
        *self.slot(index(self.digits, value.min(TOP))) += 1;
        self.count += 1;
        // 584 years of latency: nothing that was measured comes near.
        self.sum = self.sum.saturating_add(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    #[inline]
    fn slot(&mut self, index: usize) -> &mut u32 {
        let chunk = &mut self.chunks[index >> CHUNK_BITS];
        &mut chunk.get_or_insert_with(|| Box::new([0; CHUNK]))[index & (CHUNK - 1)]
    }

    pub(super) fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.digits, other.digits, "merged histograms have the same buckets");
        for (mine, theirs) in self.chunks.iter_mut().zip(&other.chunks) {
            if let Some(theirs) = theirs {
                let mine = mine.get_or_insert_with(|| Box::new([0; CHUNK]));
                for (a, b) in mine.iter_mut().zip(theirs.iter()) {
                    *a = a.saturating_add(*b);
                }
            }
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    pub(super) const fn digits(&self) -> Digits {
        self.digits
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) const fn sum(&self) -> u64 {
        self.sum
    }

    /// `None` without values.
    pub(super) const fn min(&self) -> Option<u64> {
        if self.count == 0 { None } else { Some(self.min) }
    }

    /// `None` without values.
    pub(super) const fn max(&self) -> Option<u64> {
        if self.count == 0 { None } else { Some(self.max) }
    }

    /// Values that are surely below `limit`: a bucket that the limit cuts counts as not below. Rejudging rests on this, so it
    /// errs against the service, by at most one bucket.
    pub(super) fn surely_below(&self, limit: u64) -> u64 {
        if self.max < limit {
            return self.count;
        }
        let below = |bucket: &Bucket| bucket.end <= limit;
        self.buckets().take_while(below).map(|bucket| bucket.count).sum()
    }

    /// The buckets that hold something, from low to high.
    pub(super) fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.chunks.iter().enumerate().flat_map(move |(chunk, counts)| {
            let counts = counts.as_deref().map_or(&[][..], |counts| &counts[..]);
            counts
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
                .map(move |(offset, count)| {
                    let index = chunk << CHUNK_BITS | offset;
                    let (start, end) = range(self.digits, index);
                    Bucket {
                        index,
                        start,
                        end,
                        count: u64::from(*count),
                    }
                })
        })
    }

    /// Puts `count` values back where [`buckets`](Self::buckets) showed them; `exact` are the figures that buckets cannot carry.
    pub(super) fn restore(
        digits: Digits,
        buckets: impl Iterator<Item = (u64, u64)>,
        sum: u64,
        min: u64,
        max: u64,
    ) -> Self {
        let mut restored = Self::new(digits);
        for (value, count) in buckets {
            let slot = restored.slot(index(digits, value.min(TOP)));
            *slot = slot.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            restored.count += count;
        }
        if restored.count > 0 {
            (restored.sum, restored.min, restored.max) = (sum, min, max);
        }
        restored
    }

    /// Bytes on the heap.
    pub(super) fn memory(&self) -> usize {
        self.chunks.capacity() * size_of::<Option<Box<[u32; CHUNK]>>>()
            + self.chunks.iter().flatten().count() * CHUNK * 4
    }

    /// The most that [`memory`](Self::memory) can become.
    #[cfg(test)]
    pub(super) fn memory_limit(&self) -> usize {
        self.chunks.len() * (size_of::<Option<Box<[u32; CHUNK]>>>() + CHUNK * 4)
    }
}

/// A range of values that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Its number, as HdrHistogram counts.
    pub(super) index: usize,
    /// First value in it.
    pub(super) start: u64,
    /// First value after it.
    pub(super) end: u64,
    /// Values in it.
    pub(super) count: u64,
}

/// Several histograms of the same digits as if they were one.
#[derive(Debug, Clone)]
pub(super) struct Union<'a> {
    pub(super) parts: Vec<&'a Histogram>,
}

impl<'a> Union<'a> {
    /// How many chunks of buckets there are.
    pub(super) fn chunks(&self) -> usize {
        self.parts.iter().map(|part| part.chunks.len()).max().unwrap_or(0)
    }

    fn counts(&self, chunk: usize) -> impl Iterator<Item = &'a [u32; CHUNK]> + Clone + use<'a, '_> {
        self.parts
            .iter()
            .filter_map(move |part| part.chunks.get(chunk)?.as_deref())
    }

    /// Values in a chunk: finds the chunk of a rank without looking at the buckets of all those before.
    pub(super) fn count_of(&self, chunk: usize) -> u64 {
        self.counts(chunk)
            .map(|counts| counts.iter().map(|count| u64::from(*count)).sum::<u64>())
            .sum()
    }

    /// The non-empty buckets of a chunk, from low to high.
    pub(super) fn buckets_of(&self, chunk: usize) -> impl Iterator<Item = Bucket> + use<'a, '_> {
        let digits = self.parts.first().map_or(Digits::Three, |part| part.digits);
        let counts = self.counts(chunk);
        let used = if counts.clone().next().is_some() { CHUNK } else { 0 };
        (0..used).filter_map(move |offset| {
            let count = counts.clone().map(|counts| u64::from(counts[offset])).sum();
            let index = chunk << CHUNK_BITS | offset;
            let (start, end) = range(digits, index);
            (count > 0).then_some(Bucket {
                index,
                start,
                end,
                count,
            })
        })
    }
}

/// The bucket of a value that is at most [`TOP`].
#[inline]
// What remains after the shift is below 2^15.
#[allow(clippy::cast_possible_truncation)]
const fn index(digits: Digits, value: u64) -> usize {
    let (value, bits) = (value >> UNIT_BITS, digits.bits());
    // Doublings beyond the linear part.
    let shift = (64 - bits).saturating_sub(value.leading_zeros());
    ((shift as usize) << (bits - 1)) + (value >> shift) as usize
}

/// First value of a bucket, and first value after it.
const fn range(digits: Digits, index: usize) -> (u64, u64) {
    let half = 1usize << (digits.bits() - 1);
    let shift = (index / half).saturating_sub(1);
    let start = (index - shift * half) as u64;
    ((start << shift) << UNIT_BITS, ((start + 1) << shift) << UNIT_BITS)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::needless_for_each)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_tile_the_range() {
        for digits in [Digits::Three, Digits::Four] {
            let mut expected = 0;
            for at in 0..=index(digits, TOP) {
                let (start, end) = range(digits, at);
                assert_eq!(start, expected, "bucket {at}");
                assert_eq!((index(digits, start), index(digits, end - 1)), (at, at));
                expected = end;
            }
            assert_eq!(expected, TOP + 1);
        }
    }

    proptest! {
        #[test]
        fn a_bucket_is_as_narrow_as_its_digits_say(value in 0..=TOP) {
            for (digits, precision) in [(Digits::Three, 1000), (Digits::Four, 10_000)] {
                let (start, end) = range(digits, index(digits, value));
                prop_assert!(start <= value && value < end);
                prop_assert!(end - start <= (value / precision).max(16), "{value}: {start}..{end}");
            }
        }

        #[test]
        fn merging_is_recording_together(a in proptest::collection::vec(any::<u64>(), 0..50), b in proptest::collection::vec(0..1u64 << 34, 0..50)) {
            let of = |values: &mut dyn Iterator<Item = &u64>| {
                let mut histogram = Histogram::new(Digits::Three);
                values.for_each(|value| histogram.record(*value));
                histogram
            };
            let mut merged = of(&mut a.iter());
            merged.add(&of(&mut b.iter()));
            prop_assert!(merged == of(&mut a.iter().chain(&b)));
            let back = Histogram::restore(Digits::Three, merged.buckets().map(|b| (b.start, b.count)), merged.sum, merged.min, merged.max);
            prop_assert!(back == merged);
        }

        #[test]
        fn below_is_never_more_than_there_are(values in proptest::collection::vec(0..1u64 << 34, 1..100), limit in 0..1u64 << 34) {
            let mut histogram = Histogram::new(Digits::Four);
            values.iter().for_each(|value| histogram.record(*value));
            let sure = histogram.surely_below(limit);
            prop_assert!(sure <= values.iter().filter(|value| **value < limit).count() as u64);
            let lower = limit - limit / 10_000 - 16.min(limit - limit / 10_000);
            prop_assert!(sure >= values.iter().filter(|value| **value < lower).count() as u64);
        }
    }
}
