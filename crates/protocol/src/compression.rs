//! Compression of channels: zlib, or brotli behind a version byte (Fjord).

use std::io::{self, Read, Write};

/// The most decompressed bytes of a channel that count, from Fjord on; also the most compressed
/// bytes that a channel may have, from Holocene on.
pub const MAX_RLP_BYTES_PER_CHANNEL: usize = 100_000_000;

/// First byte of a brotli channel.
const BROTLI_VERSION: u8 = 1;
/// Compression methods in the low half of a zlib stream's first byte.
const ZLIB_METHODS: [u8; 2] = [8, 15];
const BROTLI_WINDOW_BITS: u32 = 22;
const BUFFER_BYTES: usize = 4096;

/// How a channel is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1950, level 0 to 9.
    Zlib {
        /// 9 compresses best.
        level: u32,
    },
    /// Brotli, quality 0 to 11.
    Brotli {
        /// 10 is what OP batchers use: 11 takes twenty times as long for 3 % less.
        quality: u32,
    },
}

impl Default for Compression {
    fn default() -> Self {
        Self::Brotli { quality: 10 }
    }
}

/// Why a channel does not decompress.
#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    /// There must be a first byte.
    #[error("channel is empty")]
    Empty,
    /// Neither zlib nor brotli.
    #[error("channel starts with {0:#04x}, which is no known compression")]
    Unknown(u8),
    /// The stream is corrupt or cut short.
    #[error("channel's compressed stream is corrupt: {0}")]
    Corrupt(#[source] io::Error),
}

/// A decompressed channel.
#[derive(Debug)]
pub struct Decompressed {
    /// Everything before the error, at most the limit.
    pub bytes: Vec<u8>,
    /// Why the stream ends early, if it does. What came before counts all the same: decompression is
    /// a stream, and batches are read as it goes.
    pub error: Option<CompressionError>,
}

/// Compresses a channel's RLP bytes.
pub fn compress(rlp: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    match compression {
        Compression::Zlib { level } => {
            let level = flate2::Compression::new(level.min(9));
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(rlp)?;
            encoder.finish()
        }
        Compression::Brotli { quality } => {
            let out = vec![BROTLI_VERSION];
            let quality = quality.min(11);
            let mut encoder = brotli::CompressorWriter::new(out, BUFFER_BYTES, quality, BROTLI_WINDOW_BITS);
            encoder.write_all(rlp)?;
            encoder.flush()?;
            Ok(encoder.into_inner())
        }
    }
}

/// Decompresses a channel; bytes past `limit` are cut off silently, as the protocol has it.
pub fn decompress(channel: &[u8], limit: usize) -> Decompressed {
    let failed = |error| Decompressed { bytes: Vec::new(), error: Some(error) };
    let Some((&first, rest)) = channel.split_first() else {
        return failed(CompressionError::Empty);
    };
    if first == BROTLI_VERSION {
        read_all(brotli::Decompressor::new(rest, BUFFER_BYTES), limit)
    } else if ZLIB_METHODS.contains(&(first & 0x0f)) {
        read_all(flate2::read::ZlibDecoder::new(channel), limit)
    } else {
        failed(CompressionError::Unknown(first))
    }
}

fn read_all(reader: impl Read, limit: usize) -> Decompressed {
    let mut bytes = Vec::new();
    let error = reader.take(limit as u64).read_to_end(&mut bytes).err();
    Decompressed { bytes, error: error.map(CompressionError::Corrupt) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: [Compression; 2] = [Compression::Zlib { level: 6 }, Compression::Brotli { quality: 5 }];

    #[test]
    fn a_decompression_bomb_is_cut_at_the_limit() {
        for compression in BOTH {
            let bomb = compress(&vec![0; 5_000_000], compression).unwrap();
            assert!(bomb.len() < 10_000);
            let out = decompress(&bomb, 1_000);
            assert_eq!(out.bytes.len(), 1_000);
            assert!(out.error.is_none());
        }
    }

    #[test]
    fn what_precedes_the_damage_is_kept() {
        let rlp: Vec<u8> = (0..50_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        for compression in BOTH {
            let whole = compress(&rlp, compression).unwrap();
            let out = decompress(&whole[..whole.len() / 2], usize::MAX);
            assert!(out.error.is_some());
            assert!(!out.bytes.is_empty() && rlp.starts_with(&out.bytes));
        }
    }

    #[test]
    fn unknown_compression_is_named() {
        assert!(matches!(decompress(&[], 9).error, Some(CompressionError::Empty)));
        assert!(matches!(decompress(&[2, 3], 9).error, Some(CompressionError::Unknown(2))));
    }

    proptest! {
        #[test]
        fn compression_is_undone(rlp in prop::collection::vec(0u8..4, 0..3000)) {
            for compression in BOTH {
                let out = decompress(&compress(&rlp, compression).unwrap(), usize::MAX);
                prop_assert!(out.error.is_none());
                prop_assert_eq!(&out.bytes, &rlp);
            }
        }

        #[test]
        fn any_bytes_end_in_bytes_or_an_error(
            first in prop_oneof![Just(1u8), Just(0x78), any::<u8>()],
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let out = decompress(&[&[first][..], &rest].concat(), 100_000);
            prop_assert!(out.bytes.len() <= 100_000);
        }
    }
}
