//! Keccak-f[1600] of eight states side by side: a register holds one word of each (FIPS 202, section 3).

use core::arch::x86_64::{
    __m512i, _mm512_rol_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_ternarylogic_epi64,
    _mm512_xor_si512,
};

use alloy_primitives::B256;

use crate::{
    RATE,
    lanes::{LANES, load, store},
};

/// Words that a permutation takes in.
const RATE_WORDS: usize = RATE / 8;

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// `a ^ b ^ c`.
const XOR3: i32 = 0x96;
/// `a ^ (!b & c)`.
const CHI: i32 = 0xd2;

/// Theta's second half, rho and pi of words from `$from` on their way to `$to`, turned by `$turn`.
macro_rules! turn_and_move {
    ($a:ident, $b:ident, $column:ident, $next:ident; $($to:literal $from:literal $turn:literal),*) => {
        $($b[$to] = _mm512_rol_epi64::<$turn>(_mm512_ternarylogic_epi64::<XOR3>(
            $a[$from], $column[($from + 4) % 5], $next[$from % 5],
        ));)*
    };
}

#[target_feature(enable = "avx512f")]
fn permute(state: &mut [__m512i; 25]) {
    let mut a = *state;
    for constant in ROUND_CONSTANTS {
        let mut column = [a[0]; 5];
        for x in 0..5 {
            let three = _mm512_ternarylogic_epi64::<XOR3>(a[x], a[x + 5], a[x + 10]);
            column[x] = _mm512_ternarylogic_epi64::<XOR3>(three, a[x + 15], a[x + 20]);
        }
        let mut next = column;
        for x in 0..5 {
            next[x] = _mm512_rol_epi64::<1>(column[(x + 1) % 5]);
        }
        let mut b = a;
        turn_and_move!(a, b, column, next;
            0 0 0, 10 1 1, 20 2 62, 5 3 28, 15 4 27,
            16 5 36, 1 6 44, 11 7 6, 21 8 55, 6 9 20,
            7 10 3, 17 11 10, 2 12 43, 12 13 25, 22 14 39,
            23 15 41, 8 16 45, 18 17 15, 3 18 21, 13 19 8,
            14 20 18, 24 21 2, 9 22 61, 19 23 56, 4 24 14
        );
        for y in 0..5 {
            for x in 0..5 {
                a[x + 5 * y] = _mm512_ternarylogic_epi64::<CHI>(
                    b[x + 5 * y],
                    b[(x + 1) % 5 + 5 * y],
                    b[(x + 2) % 5 + 5 * y],
                );
            }
        }
        a[0] = _mm512_xor_si512(a[0], _mm512_set1_epi64(constant.cast_signed()));
    }
    *state = a;
}

#[inline]
#[target_feature(enable = "avx512f")]
fn absorb(state: &mut [__m512i; 25], blocks: &[&[u8; RATE]; LANES]) {
    let words = blocks.map(|block| block.as_chunks::<8>().0);
    for i in 0..RATE_WORDS {
        state[i] = _mm512_xor_si512(state[i], load(&words.map(|words| u64::from_le_bytes(words[i]))));
    }
    permute(state);
}

/// The hashes of messages of which each fills as many whole blocks of [`RATE`] bytes.
#[target_feature(enable = "avx512f")]
pub(crate) fn keccak256(messages: [&[u8]; LANES]) -> [B256; LANES] {
    let mut state = [_mm512_setzero_si512(); 25];
    let blocks = messages.map(|message| message.as_chunks::<RATE>().0);
    let whole = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    for i in 0..whole {
        absorb(&mut state, &blocks.map(|blocks| &blocks[i]));
    }
    let last = messages.map(|message| {
        let rest = &message[whole * RATE..];
        let mut block = [0; RATE];
        block[..rest.len()].copy_from_slice(rest);
        // Padding: Keccak's, not SHA-3's.
        block[rest.len()] = 1;
        block[RATE - 1] |= 0x80;
        block
    });
    absorb(&mut state, &last.each_ref());

    let mut hashes = [B256::ZERO; LANES];
    for (i, word) in state.iter().take(4).enumerate() {
        let words = store(*word);
        for (hash, word) in hashes.iter_mut().zip(words) {
            hash.0[8 * i..8 * i + 8].copy_from_slice(&word.to_le_bytes());
        }
    }
    hashes
}
