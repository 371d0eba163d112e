//! A panel of the right factor, copied to where its lines follow each other.

use core::arch::x86_64::{
    __m512, _mm512_castpd_ps, _mm512_castps_pd, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_store_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps,
    _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

use super::{Factor, LANES, PANEL};

/// A register's numbers, aligned to a line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [f32; LANES]);

impl Line {
    pub(super) const ZERO: Self = Self([0.0; LANES]);
}

impl Factor<'_> {
    /// Copies a part of some columns; columns of the panel beyond them keep what they hold.
    ///
    /// # Safety
    /// The processor must have AVX-512F.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn copy(self, from: usize, column: usize, width: usize, panel: &mut [[Line; 2]]) {
        match self {
            Self::Rows { values, stride } => {
                for (at, line) in panel.iter_mut().enumerate() {
                    let row = &values[(from + at) * stride + column..][..width];
                    if let Some(row) = row.first_chunk::<PANEL>() {
                        let (low, high) = row.split_at(LANES);
                        line[0].write(load(low));
                        line[1].write(load(high));
                    } else {
                        for (at, number) in row.iter().enumerate() {
                            line[at / LANES].0[at % LANES] = *number;
                        }
                    }
                }
            }
            Self::Columns { values, stride } => {
                let depth = panel.len();
                let of = |column: usize| &values[column * stride + from..][..depth];
                for (half, first) in (0..width).step_by(LANES).enumerate() {
                    let columns = LANES.min(width - first);
                    for (block, lines) in panel.chunks_mut(LANES).enumerate() {
                        let at = block * LANES;
                        if columns == LANES && lines.len() == LANES {
                            let mut square = [_mm512_setzero_ps(); LANES];
                            for (i, row) in square.iter_mut().enumerate() {
                                *row = load(&of(column + first + i)[at..at + LANES]);
                            }
                            for (line, row) in lines.iter_mut().zip(transposed(square)) {
                                line[half].write(row);
                            }
                            continue;
                        }
                        for i in 0..columns {
                            let numbers = &of(column + first + i)[at..at + lines.len()];
                            for (line, number) in lines.iter_mut().zip(numbers) {
                                line[half].0[i] = *number;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The first panel and `sign` times the second.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_panels([first, second]: [&[[Line; 2]]; 2], sign: f32, sum: &mut [[Line; 2]]) {
    let sign = _mm512_set1_ps(sign);
    for ((sum, first), second) in sum.iter_mut().zip(first).zip(second) {
        for at in 0..2 {
            sum[at].write(_mm512_fmadd_ps(sign, load(&second[at].0), load(&first[at].0)));
        }
    }
}

impl Line {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn write(&mut self, numbers: __m512) {
        // SAFETY: a line is a register's numbers, aligned to it.
        #[allow(unsafe_code)]
        unsafe {
            _mm512_store_ps(self.0.as_mut_ptr(), numbers);
        }
    }
}

/// A register's numbers. Panics if there are fewer.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(numbers: &[f32]) -> __m512 {
    let numbers = &numbers[..LANES];
    // SAFETY: there are as many as are read.
    #[allow(unsafe_code)]
    unsafe {
        _mm512_loadu_ps(numbers.as_ptr())
    }
}

/// The columns of a square: fours of neighbours first, then the fours in their order.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512; LANES]) -> [__m512; LANES] {
    let mut fours = rows;
    for four in fours.as_chunks_mut::<4>().0 {
        let [a, b, c, d] = *four;
        let (low, low2) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
        let (high, high2) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
        let [low, low2, high, high2] = [low, low2, high, high2].map(|pair| _mm512_castps_pd(pair));
        *four = [
            _mm512_unpacklo_pd(low, low2),
            _mm512_unpackhi_pd(low, low2),
            _mm512_unpacklo_pd(high, high2),
            _mm512_unpackhi_pd(high, high2),
        ]
        .map(|four| _mm512_castpd_ps(four));
    }
    // `fours[4 g + j]` holds, a quarter each, the columns j, 4 + j, 8 + j and 12 + j of the rows from 4 g on.
    let mut columns = fours;
    for j in 0..4 {
        let even = _mm512_shuffle_f32x4::<0x88>(fours[j], fours[4 + j]);
        let odd = _mm512_shuffle_f32x4::<0xdd>(fours[j], fours[4 + j]);
        let even2 = _mm512_shuffle_f32x4::<0x88>(fours[8 + j], fours[12 + j]);
        let odd2 = _mm512_shuffle_f32x4::<0xdd>(fours[8 + j], fours[12 + j]);
        columns[j] = _mm512_shuffle_f32x4::<0x88>(even, even2);
        columns[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd, odd2);
        columns[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even, even2);
        columns[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd, odd2);
    }
    columns
}
