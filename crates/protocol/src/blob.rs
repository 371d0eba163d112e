//! Data in blobs: 127 bytes in four field elements, 254 bits of each used.
//!
//! | element | first byte | other 31 bytes |
//! |---|---|---|
//! | 0 | low 6 bits of `x` | `a` |
//! | 1 | high 2 bits of `x`, low 4 of `y` | `b` |
//! | 2 | low 6 bits of `z` | `c` |
//! | 3 | high 2 bits of `z`, high 4 of `y` | `d` |
//!
//! carry `a x b y c z d`. The first four bytes of the 130,048 so carried are a version and a length.

use alloy_eips::eip4844::{BYTES_PER_BLOB, Blob};

const ROUNDS: usize = 1024;
const ROUND_BYTES: usize = 4 * 31 + 3;
const CAPACITY_BYTES: usize = ROUNDS * ROUND_BYTES;
const HEADER_BYTES: usize = 4;
const VERSION: u8 = 0;
const ELEMENT_BYTES: usize = 32;

/// The most data that one blob holds.
pub const MAX_BLOB_DATA_BYTES: usize = CAPACITY_BYTES - HEADER_BYTES;

/// Why a blob holds no data, or data does not go into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// More than [`MAX_BLOB_DATA_BYTES`].
    #[error("{0} bytes do not fit a blob, which holds {MAX_BLOB_DATA_BYTES}")]
    TooLong(usize),
    /// The two highest bits of every element must be zero.
    #[error("field element {0} is too large")]
    HighBits(usize),
    /// A version that this node does not know.
    #[error("blob has encoding version {0}, not {VERSION}")]
    Version(u8),
    /// There must be zeros after the data, so that every blob has one meaning and back.
    #[error("blob has data after its end")]
    Trailing,
}

/// Puts `data` into a blob.
pub fn encode(data: &[u8]) -> Result<Box<Blob>, BlobError> {
    if data.len() > MAX_BLOB_DATA_BYTES {
        return Err(BlobError::TooLong(data.len()));
    }
    let mut carried = vec![0u8; CAPACITY_BYTES];
    let [_, length @ ..] = (data.len() as u32).to_be_bytes();
    carried[0] = VERSION;
    carried[1..HEADER_BYTES].copy_from_slice(&length);
    carried[HEADER_BYTES..HEADER_BYTES + data.len()].copy_from_slice(data);

    let mut blob = vec![0u8; BYTES_PER_BLOB];
    for (bytes, elements) in carried.chunks_exact(ROUND_BYTES).zip(blob.chunks_exact_mut(4 * ELEMENT_BYTES)) {
        let (x, y, z) = (bytes[31], bytes[63], bytes[95]);
        let heads = [x & 0x3f, (y & 0x0f) | ((x & 0xc0) >> 2), z & 0x3f, ((z & 0xc0) >> 2) | (y >> 4)];
        for (index, element) in elements.chunks_exact_mut(ELEMENT_BYTES).enumerate() {
            element[0] = heads[index];
            element[1..].copy_from_slice(&bytes[32 * index..32 * index + 31]);
        }
    }
    Ok(Box::new(Blob::from_slice(&blob)))
}

/// Takes the data out of a blob.
pub fn decode(blob: &Blob) -> Result<Vec<u8>, BlobError> {
    let mut carried = Vec::with_capacity(CAPACITY_BYTES);
    for (round, elements) in blob.chunks_exact(4 * ELEMENT_BYTES).enumerate() {
        let mut heads = [0u8; 4];
        for (index, head) in heads.iter_mut().enumerate() {
            *head = elements[ELEMENT_BYTES * index];
            if *head & 0xc0 != 0 {
                return Err(BlobError::HighBits(4 * round + index));
            }
        }
        let [a, b, c, d] = heads;
        let between = [a | ((b & 0x30) << 2), (b & 0x0f) | ((d & 0x0f) << 4), c | ((d & 0x30) << 2)];
        for (index, element) in elements.chunks_exact(ELEMENT_BYTES).enumerate() {
            carried.extend(&element[1..]);
            carried.extend(between.get(index));
        }
    }
    let [version, high, middle, low] = [carried[0], carried[1], carried[2], carried[3]];
    if version != VERSION {
        return Err(BlobError::Version(version));
    }
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    if length > MAX_BLOB_DATA_BYTES {
        return Err(BlobError::TooLong(length));
    }
    if carried[HEADER_BYTES + length..].iter().any(|&byte| byte != 0) {
        return Err(BlobError::Trailing);
    }
    carried.truncate(HEADER_BYTES + length);
    carried.drain(..HEADER_BYTES);
    Ok(carried)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_of_corruption_has_its_error() {
        let good = encode(b"frames").unwrap();
        let with = |at: usize, byte: u8| {
            let mut blob = good.clone();
            blob[at] = byte;
            decode(&blob)
        };
        assert_eq!(with(32 * 77, 0x40), Err(BlobError::HighBits(77)));
        assert_eq!(with(1, 1), Err(BlobError::Version(1)));
        assert_eq!(with(2, 0xff), Err(BlobError::TooLong(0xff0006)));
        assert_eq!(with(BYTES_PER_BLOB - 1, 1), Err(BlobError::Trailing));
        assert_eq!(with(32 * 4095, 1), Err(BlobError::Trailing));
        assert_eq!(decode(&good).as_deref(), Ok(&b"frames"[..]));
    }

    #[test]
    fn a_full_blob_survives_and_one_byte_more_is_refused() {
        let data: Vec<u8> = (0..MAX_BLOB_DATA_BYTES).map(|i| ((i * 31) >> 3) as u8).collect();
        assert_eq!(decode(&encode(&data).unwrap()), Ok(data));
        let long = vec![0; MAX_BLOB_DATA_BYTES + 1];
        assert_eq!(encode(&long), Err(BlobError::TooLong(long.len())));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn data_survives_its_blob(data in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(decode(&encode(&data).unwrap()), Ok(data));
        }

        #[test]
        fn a_damaged_blob_ends_in_data_or_an_error(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)
        ) {
            let mut blob = encode(b"some frames that were here").unwrap();
            for (at, byte) in damage {
                let at = at.index(BYTES_PER_BLOB);
                blob[at] = byte;
            }
            // What still decodes must be the one meaning of those very bytes.
            if let Ok(data) = decode(&blob) {
                prop_assert_eq!(encode(&data).unwrap(), blob);
            }
        }
    }
}
