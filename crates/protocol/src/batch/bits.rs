//! Bit lists: one big-endian integer, bit `i` being element `i`, padded to whole bytes at the front.

use super::BatchError;

pub(super) fn write(bits: &[bool], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bits.len().div_ceil(8), 0);
    let bytes = &mut out[start..];
    let last = bytes.len();
    for (index, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
        bytes[last - 1 - index / 8] |= 1 << (index % 8);
    }
}

/// Takes `count` bits off the front of `input`. The padding must be zero.
pub(super) fn read(input: &mut &[u8], count: usize, what: &'static str) -> Result<Vec<bool>, BatchError> {
    let (bytes, rest) = input.split_at_checked(count.div_ceil(8)).ok_or(BatchError::Truncated(what))?;
    let used = count % 8;
    if used != 0 && bytes.first().is_some_and(|&first| first >> used != 0) {
        return Err(BatchError::ExtraBits);
    }
    *input = rest;
    let bits = bytes.iter().rev().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
    Ok(bits.take(count).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn element_zero_is_the_lowest_bit_of_the_last_byte() {
        let mut out = Vec::new();
        let mut bits = [false; 10];
        (bits[0], bits[9]) = (true, true);
        write(&bits, &mut out);
        assert_eq!(out, [0b10, 0b1]);
        assert_eq!(read(&mut &[0b100, 0][..], 10, "test"), Err(BatchError::ExtraBits));
    }

    proptest! {
        #[test]
        fn bits_survive(bits in prop::collection::vec(any::<bool>(), 0..70)) {
            let mut out = Vec::new();
            write(&bits, &mut out);
            let mut input = &out[..];
            prop_assert_eq!(read(&mut input, bits.len(), "test"), Ok(bits));
            prop_assert!(input.is_empty());
        }
    }
}
