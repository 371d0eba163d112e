//! Batches in a channel: RLP strings one after the other, compressed as a whole.

use alloy_rlp::{Encodable, Header};

use super::{Batch, BatchError};
use crate::{CompressionError, MAX_RLP_BYTES_PER_CHANNEL, compression};

/// Takes the batches out of a channel one by one.
#[derive(Debug)]
pub struct BatchReader {
    rlp: Vec<u8>,
    position: usize,
    compression_error: Option<CompressionError>,
}

impl BatchReader {
    /// Decompresses a channel.
    pub fn new(channel: &[u8]) -> Self {
        let decompressed = compression::decompress(channel, MAX_RLP_BYTES_PER_CHANNEL);
        Self { rlp: decompressed.bytes, position: 0, compression_error: decompressed.error }
    }

    /// Reads a channel that is decompressed already.
    pub const fn from_rlp(rlp: Vec<u8>) -> Self {
        Self { rlp, position: 0, compression_error: None }
    }

    /// Why the compressed stream ends early, if it does. Batches before that point count.
    pub const fn compression_error(&self) -> Option<&CompressionError> {
        self.compression_error.as_ref()
    }

    /// Decompressed bytes not read yet.
    pub const fn remaining_bytes(&self) -> usize {
        self.rlp.len() - self.position
    }

    /// The next batch; `None` at the end. After an error the rest of the channel has no meaning.
    pub fn next_batch(&mut self, l2_chain_id: u64) -> Result<Option<Batch>, BatchError> {
        let mut rest = self.rlp.get(self.position..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let batch = Header::decode_bytes(&mut rest, false)
            .map_err(|source| BatchError::Rlp { what: "envelope", source })
            .and_then(|data| Batch::decode(data, l2_chain_id));
        self.position = match batch {
            Ok(_) => self.rlp.len() - rest.len(),
            Err(_) => self.rlp.len(),
        };
        batch.map(Some)
    }
}

/// Writes batches as a channel's content, not compressed yet.
pub fn encode_batches<'a>(
    batches: impl IntoIterator<Item = &'a Batch>,
    l2_chain_id: u64,
) -> Result<Vec<u8>, BatchError> {
    let mut rlp = Vec::new();
    for batch in batches {
        batch.encode(l2_chain_id)?.as_slice().encode(&mut rlp);
    }
    Ok(rlp)
}
