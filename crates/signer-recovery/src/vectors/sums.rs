//! Public keys from signatures' points and scalars, eight side by side.

use core::arch::x86_64::{__mmask8, _mm512_cmpeq_epi64_mask, _mm512_mask_mov_epi64, _mm512_set1_epi64};

use openledger_keccak::lanes::{LANES, load, store};

use super::{
    field::{Field, invert_all},
    generator::Generator,
    point::{Affine, Chain, Jacobian, ODD_MULTIPLES},
    scalar::{GENERATOR_BITS, GENERATOR_DIGITS, GeneratorDigits, POINT_BITS, POINT_DIGITS, PointDigits},
};

/// A cube root of one: multiplying x by it multiplies the point by `lambda`.
const BETA: [u64; 4] =
    [0xc139_6c28_7195_01ee, 0x9cf0_4975_12f5_8995, 0x6e64_479e_ac34_34e9, 0x7ae9_6a2b_657c_0710];
/// The generator's x, which stands where there is no point.
const GENERATOR_X: [u64; 4] =
    [0x59f2_815b_16f8_1798, 0x029b_fcdb_2dce_28d9, 0x55a0_6295_ce87_0b07, 0x79be_667e_f9dc_bbac];

/// What `u1 * G + u2 * R` takes.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// R's x in words, the least significant first.
    pub(crate) x: [u64; 4],
    /// Whether R's y is odd.
    pub(crate) odd: bool,
    /// `u2` as two halves, see [`super::scalar::point_digits`].
    pub(crate) point: (PointDigits, PointDigits),
    /// `u1` as two halves, see [`super::scalar::generator_digits`].
    pub(crate) generator: (GeneratorDigits, GeneratorDigits),
}

/// The coordinates of a point: x and y, big-endian.
pub(crate) type Coordinates = [u8; 64];

/// The sums of `terms`. `None` where there is no such R, and where the formulas do not hold, which says nothing
/// of the sum.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn sums(generator: &Generator, terms: &[Terms]) -> Vec<Option<Coordinates>> {
    let vectors: Vec<[&Terms; LANES]> = terms
        .chunks(LANES)
        .map(|chunk| core::array::from_fn(|lane| chunk.get(lane).unwrap_or(&chunk[0])))
        .collect();

    let mut valid = Vec::with_capacity(vectors.len());
    let mut points = Vec::with_capacity(vectors.len());
    let mut zs = Vec::with_capacity(vectors.len());
    for vector in &vectors {
        let (point, mut good) = decompress(vector);
        let chain = Chain::new(&point);
        zs.push(nonzero(&chain.z, &mut good));
        valid.push(good);
        points.push(chain);
    }
    invert_all(&mut zs);

    let mut totals = Vec::with_capacity(vectors.len());
    for (((vector, chain), z), good) in vectors.iter().zip(&points).zip(&mut zs).zip(&mut valid) {
        let total = sum(generator, vector, &chain.normalize(z));
        *z = nonzero(&total.z, good);
        totals.push(total);
    }
    invert_all(&mut zs);

    let mut sums = Vec::with_capacity(terms.len());
    for ((total, inverse), good) in totals.iter().zip(&zs).zip(valid) {
        let squared = inverse.square();
        let x = total.x.mul(&squared);
        let y = total.y.mul(&squared.mul(inverse));
        let good = good & on_curve(&x, &y);
        let x = x.canonical().words().map(|word| store(word));
        let y = y.canonical().words().map(|word| store(word));
        for lane in 0..LANES {
            let mut coordinates = [0; 64];
            for (chunk, words) in
                coordinates.as_chunks_mut::<8>().0.iter_mut().zip(x.iter().rev().chain(y.iter().rev()))
            {
                *chunk = words[lane].to_be_bytes();
            }
            sums.push((good >> lane & 1 == 1).then_some(coordinates));
        }
    }
    sums.truncate(terms.len());
    sums
}

/// `x^3 + 7`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn right_side(x: &Field) -> Field {
    x.square().mul_plus(x, &Field::splat(7).sum())
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn on_curve(x: &Field, y: &Field) -> __mmask8 {
    y.square().canonical().equal(&right_side(x).canonical())
}

/// `z` with one in place of zero, where nothing is `good` any more.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn nonzero(z: &Field, good: &mut __mmask8) -> Field {
    let zero = z.canonical().equal(&Field::splat(0));
    *good &= !zero;
    z.one_where(zero)
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn splat_words(words: &[u64; 4]) -> Field {
    Field::from_words(&words.map(|word| _mm512_set1_epi64(word.cast_signed())))
}

/// The points R, and the lanes where there is one; the generator elsewhere.
#[target_feature(enable = "avx512f,avx512ifma")]
fn decompress(vector: &[&Terms; LANES]) -> (Affine, __mmask8) {
    let words: [_; 4] = core::array::from_fn(|word| load(&vector.map(|terms| terms.x[word])));
    let x = Field::from_words(&words);
    let square = right_side(&x);
    let root = square.sqrt();
    let good = root.square().canonical().equal(&square.canonical());
    let x = x.blend(!good, &splat_words(&GENERATOR_X));
    let root = root.blend(!good, &right_side(&x).sqrt()).canonical();
    let odd = (0..LANES).fold(0, |mask, lane| mask | u8::from(vector[lane].odd) << lane);
    let y = root.blend(root.odd() ^ odd, &root.negate().canonical());
    (Affine { x, y }, good)
}

/// The sum of each lane's terms, R's odd multiples given.
#[target_feature(enable = "avx512f,avx512ifma")]
fn sum(generator: &Generator, vector: &[&Terms; LANES], multiples: &[Affine; ODD_MULTIPLES]) -> Jacobian {
    let beta = splat_words(&BETA);
    let mut turned = *multiples;
    for point in &mut turned {
        point.x = point.x.mul(&beta);
    }
    const TOP: usize = POINT_DIGITS - 1;
    let (first, negative) = select(multiples, &vector.map(|terms| terms.point.0[TOP]));
    let y = first.y.blend(negative, &first.y.negate());
    let mut total = Jacobian { x: first.x, y, z: Field::splat(1) };
    for i in (0..POINT_DIGITS).rev() {
        if i < TOP {
            for _ in 0..POINT_BITS {
                total = total.double();
            }
            let (point, negative) = select(multiples, &vector.map(|terms| terms.point.0[i]));
            total = total.add(&point, negative);
        }
        let (point, negative) = select(&turned, &vector.map(|terms| terms.point.1[i]));
        total = total.add(&point, negative);
        let position = i * POINT_BITS;
        if position.is_multiple_of(GENERATOR_BITS) && position / GENERATOR_BITS < GENERATOR_DIGITS {
            let i = position / GENERATOR_BITS;
            let (point, negative) = generator.low.select(&vector.map(|terms| terms.generator.0[i]));
            total = total.add(&point, negative);
            let (point, negative) = generator.high.select(&vector.map(|terms| terms.generator.1[i]));
            total = total.add(&point, negative);
        }
    }
    total
}

/// The multiple that each lane's digit asks for, without the digits' signs, and the lanes with negative ones.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn select(multiples: &[Affine; ODD_MULTIPLES], digits: &[i8; LANES]) -> (Affine, __mmask8) {
    let negative = (0..LANES).fold(0, |mask, lane| mask | u8::from(digits[lane] < 0) << lane);
    let index = load(&digits.map(|digit| u64::from(digit.unsigned_abs() / 2)));
    let mut point = multiples[0];
    for (i, multiple) in multiples.iter().enumerate().skip(1) {
        let here = _mm512_cmpeq_epi64_mask(index, _mm512_set1_epi64(i as i64));
        for limb in 0..5 {
            point.x.0[limb] = _mm512_mask_mov_epi64(point.x.0[limb], here, multiple.x.0[limb]);
            point.y.0[limb] = _mm512_mask_mov_epi64(point.y.0[limb], here, multiple.y.0[limb]);
        }
    }
    (point, negative)
}
