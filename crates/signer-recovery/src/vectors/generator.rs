//! The odd multiples of the generator, and of the generator doubled 128 times.

use core::arch::x86_64::__mmask8;

use k256::{
    ProjectivePoint,
    elliptic_curve::{BatchNormalize, sec1::ToEncodedPoint},
};
use openledger_keccak::lanes::{LANES, load, transpose};

use super::{field::Field, point::Affine, scalar::GENERATOR_BITS};

/// Odd multiples: 1, 3, … `2^GENERATOR_BITS - 1`.
const MULTIPLES: usize = 1 << (GENERATOR_BITS - 1);

/// The four words of x and the four of y, the least significant first: a line of the cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Row([u64; 8]);

/// Odd multiples of a point.
pub(crate) struct Multiples(Vec<Row>);

/// Odd multiples of the generator, and of the generator times `2^128`: 128 KiB each.
pub(crate) struct Generator {
    pub(crate) low: Multiples,
    pub(crate) high: Multiples,
}

impl Generator {
    /// Computes them, which takes some milliseconds.
    pub(crate) fn new() -> Self {
        let low = ProjectivePoint::GENERATOR;
        let high = (0..128).fold(low, |point, _| point.double());
        Self { low: Multiples::new(low), high: Multiples::new(high) }
    }
}

impl Multiples {
    fn new(point: ProjectivePoint) -> Self {
        let twice = point.double();
        let mut multiples = Vec::with_capacity(MULTIPLES);
        let mut multiple = point;
        for _ in 0..MULTIPLES {
            multiples.push(multiple);
            multiple += twice;
        }
        let affine = ProjectivePoint::batch_normalize(multiples.as_slice());
        Self(affine.iter().map(|point| row(point.to_encoded_point(false).as_bytes())).collect())
    }

    /// The multiple that each digit asks for, without the digits' signs, and the lanes with negative ones.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn select(&self, digits: &[i16; LANES]) -> (Affine, __mmask8) {
        let mut negative = 0;
        let mut rows = [load(&[0; LANES]); LANES];
        for (lane, &digit) in digits.iter().enumerate() {
            negative |= u8::from(digit < 0) << lane;
            let row = &self.0[usize::from(digit.unsigned_abs() / 2) % MULTIPLES];
            rows[lane] = load(&row.0);
        }
        let [a, b, c, d, e, f, g, h] = transpose(&rows);
        (Affine { x: Field::from_words(&[a, b, c, d]), y: Field::from_words(&[e, f, g, h]) }, negative)
    }
}

/// From a point in SEC1's uncompressed form: a tag, then x and y, big-endian.
fn row(encoded: &[u8]) -> Row {
    let mut words = [0; 8];
    let (chunks, _) = encoded.get(1..).unwrap_or_default().as_chunks::<8>();
    for (i, chunk) in chunks.iter().take(8).enumerate() {
        // Within each coordinate the first word is the most significant one.
        words[i ^ 3] = u64::from_be_bytes(*chunk);
    }
    Row(words)
}
