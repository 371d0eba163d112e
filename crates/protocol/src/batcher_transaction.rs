//! What one batcher transaction, or one blob, carries: a version byte and frames.

use crate::{Frame, FrameError};

/// The one version of batcher transactions whose payload is frames.
pub const BATCHER_TRANSACTION_VERSION: u8 = 0;

/// Why data of the batcher holds no frames. All of it is void then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatcherTransactionError {
    /// There must be a version byte and a frame.
    #[error("batcher data is empty")]
    Empty,
    /// A version that this node does not know.
    #[error("batcher data has version {0}, not {BATCHER_TRANSACTION_VERSION}")]
    Version(u8),
    /// One bad frame voids all.
    #[error("frame {index} of batcher data: {source}")]
    Frame {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        source: FrameError,
    },
}

/// Reads the frames of one batcher transaction or blob.
pub fn decode_batcher_transaction(data: &[u8]) -> Result<Vec<Frame>, BatcherTransactionError> {
    let (&version, mut rest) = data.split_first().ok_or(BatcherTransactionError::Empty)?;
    if version != BATCHER_TRANSACTION_VERSION {
        return Err(BatcherTransactionError::Version(version));
    }
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let index = frames.len();
        let frame =
            Frame::decode(&mut rest).map_err(|source| BatcherTransactionError::Frame { index, source })?;
        frames.push(frame);
    }
    if frames.is_empty() {
        return Err(BatcherTransactionError::Empty);
    }
    Ok(frames)
}

/// Writes `frames` as the data of one batcher transaction or blob.
pub fn encode_batcher_transaction<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> Vec<u8> {
    let mut data = vec![BATCHER_TRANSACTION_VERSION];
    for frame in frames {
        frame.encode(&mut data);
    }
    data
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MAX_FRAME_DATA_BYTES;

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let frame =
            (any::<[u8; 16]>(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..200), any::<bool>());
        prop::collection::vec(frame, 1..5).prop_map(|frames| {
            let frame = |(id, number, data, is_last): ([u8; 16], _, _, _)| Frame {
                channel_id: id.into(),
                number,
                data,
                is_last,
            };
            frames.into_iter().map(frame).collect()
        })
    }

    #[test]
    fn a_frame_above_the_limit_is_refused_before_its_data_is_read() {
        let mut data = vec![0; 1 + 16 + 2];
        data.extend((MAX_FRAME_DATA_BYTES as u32 + 1).to_be_bytes());
        let error = decode_batcher_transaction(&data).unwrap_err();
        let source = FrameError::TooLong(MAX_FRAME_DATA_BYTES + 1);
        assert_eq!(error, BatcherTransactionError::Frame { index: 0, source });
    }

    #[test]
    fn empty_data_a_lone_version_and_other_versions_hold_no_frames() {
        assert_eq!(decode_batcher_transaction(&[]), Err(BatcherTransactionError::Empty));
        assert_eq!(decode_batcher_transaction(&[0]), Err(BatcherTransactionError::Empty));
        assert_eq!(decode_batcher_transaction(&[1, 2]), Err(BatcherTransactionError::Version(1)));
    }

    proptest! {
        #[test]
        fn frames_survive_their_encoding(frames in frames()) {
            let data = encode_batcher_transaction(&frames);
            prop_assert_eq!(decode_batcher_transaction(&data), Ok(frames));
        }

        #[test]
        fn one_bad_byte_less_voids_the_whole_transaction(frames in frames()) {
            let data = encode_batcher_transaction(&frames);
            prop_assert!(decode_batcher_transaction(&data[..data.len() - 1]).is_err());
        }

        #[test]
        fn any_bytes_end_in_frames_or_an_error(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_batcher_transaction(&data);
        }

        #[test]
        fn damaged_frames_end_in_frames_or_an_error(
            frames in frames(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut data = encode_batcher_transaction(&frames);
            let at = at.index(data.len());
            data[at] = byte;
            let _ = decode_batcher_transaction(&data);
        }
    }
}
