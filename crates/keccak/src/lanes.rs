//! Between eight words in memory and one register of AVX-512.
//!
//! For code that works on eight things side by side.

use core::arch::x86_64::{
    __m512i, _mm256_extract_epi64, _mm512_castsi512_si256, _mm512_extracti64x4_epi64, _mm512_set_epi64,
    _mm512_shuffle_i64x2, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

/// Words that a register holds.
pub const LANES: usize = 8;

/// The register with word `i` in lane `i`.
///
/// # Safety
/// The processor must have AVX-512F.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn load(lanes: &[u64; LANES]) -> __m512i {
    let [a, b, c, d, e, f, g, h] = lanes.map(u64::cast_signed);
    _mm512_set_epi64(h, g, f, e, d, c, b, a)
}

/// The words of the lanes.
///
/// # Safety
/// The processor must have AVX-512F.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn store(register: __m512i) -> [u64; LANES] {
    let low = _mm512_castsi512_si256(register);
    let high = _mm512_extracti64x4_epi64::<1>(register);
    [
        _mm256_extract_epi64::<0>(low),
        _mm256_extract_epi64::<1>(low),
        _mm256_extract_epi64::<2>(low),
        _mm256_extract_epi64::<3>(low),
        _mm256_extract_epi64::<0>(high),
        _mm256_extract_epi64::<1>(high),
        _mm256_extract_epi64::<2>(high),
        _mm256_extract_epi64::<3>(high),
    ]
    .map(i64::cast_unsigned)
}

/// Word `j` of row `i` becomes word `i` of row `j`.
///
/// # Safety
/// The processor must have AVX-512F.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn transpose(rows: &[__m512i; LANES]) -> [__m512i; LANES] {
    let mut pairs = [rows[0]; LANES];
    for i in 0..4 {
        pairs[2 * i] = _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]);
    }
    // Quarters of 128 bits: first those of even and of odd index, then the halves.
    let mut out = [rows[0]; LANES];
    for i in 0..2 {
        let even_low = _mm512_shuffle_i64x2::<0b10_00_10_00>(pairs[i], pairs[2 + i]);
        let odd_low = _mm512_shuffle_i64x2::<0b11_01_11_01>(pairs[i], pairs[2 + i]);
        let even_high = _mm512_shuffle_i64x2::<0b10_00_10_00>(pairs[4 + i], pairs[6 + i]);
        let odd_high = _mm512_shuffle_i64x2::<0b11_01_11_01>(pairs[4 + i], pairs[6 + i]);
        out[i] = _mm512_shuffle_i64x2::<0b10_00_10_00>(even_low, even_high);
        out[2 + i] = _mm512_shuffle_i64x2::<0b10_00_10_00>(odd_low, odd_high);
        out[4 + i] = _mm512_shuffle_i64x2::<0b11_01_11_01>(even_low, even_high);
        out[6 + i] = _mm512_shuffle_i64x2::<0b11_01_11_01>(odd_low, odd_high);
    }
    out
}
