//! Unsigned base-128 numbers, least significant group first, as protobuf has them.

use super::BatchError;

pub(super) fn write(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number off the front of `input`. Leading zero groups are allowed, as in protobuf.
pub(super) fn read(input: &mut &[u8], what: &'static str) -> Result<u64, BatchError> {
    let mut value = 0u64;
    for index in 0..10 {
        let (&byte, rest) = input.split_first().ok_or(BatchError::Truncated(what))?;
        *input = rest;
        if index == 9 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(BatchError::Varint(what))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_above_64_bits_is_refused() {
        let mut input: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(read(&mut input, "test"), Err(BatchError::Varint("test")));
        let mut endless: &[u8] = &[0x80; 40];
        assert_eq!(read(&mut endless, "test"), Err(BatchError::Varint("test")));
    }

    proptest! {
        #[test]
        fn a_number_survives(value in prop_oneof![any::<u64>(), 0u64..300, Just(u64::MAX)]) {
            let mut out = Vec::new();
            write(value, &mut out);
            let mut input = &out[..];
            prop_assert_eq!(read(&mut input, "test"), Ok(value));
            prop_assert!(input.is_empty());
        }
    }
}
