//! Frames: the pieces of a channel that fit into L1 transactions.

use alloy_primitives::FixedBytes;

/// Names a channel; chosen at random by the batcher.
pub type ChannelId = FixedBytes<16>;

/// Bytes of a frame around its data: channel id, frame number, length, last flag.
pub const FRAME_OVERHEAD_BYTES: usize = 16 + 2 + 4 + 1;

/// The most data that one frame may carry.
pub const MAX_FRAME_DATA_BYTES: usize = 1_000_000;

/// A piece of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The channel that it belongs to.
    pub channel_id: ChannelId,
    /// Its place in the channel, from 0.
    pub number: u16,
    /// At most [`MAX_FRAME_DATA_BYTES`].
    pub data: Vec<u8>,
    /// Whether it closes the channel.
    pub is_last: bool,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes end inside the frame.
    #[error("frame is cut short")]
    Truncated,
    /// More data than a frame may carry.
    #[error("frame has {0} bytes of data, more than {MAX_FRAME_DATA_BYTES}")]
    TooLong(usize),
    /// The last flag is neither 0 nor 1.
    #[error("frame's last flag is {0}")]
    LastFlag(u8),
}

impl Frame {
    /// Bytes of this frame on the wire.
    pub const fn encoded_len(&self) -> usize {
        FRAME_OVERHEAD_BYTES + self.data.len()
    }

    /// Appends the frame; `data` must not exceed [`MAX_FRAME_DATA_BYTES`], or no node will read it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        debug_assert!(self.data.len() <= MAX_FRAME_DATA_BYTES);
        out.reserve(self.encoded_len());
        out.extend(self.channel_id);
        out.extend(self.number.to_be_bytes());
        out.extend((self.data.len() as u32).to_be_bytes());
        out.extend(&self.data);
        out.push(u8::from(self.is_last));
    }

    /// Takes one frame off the front of `input`, which stays as it was on an error.
    pub fn decode(input: &mut &[u8]) -> Result<Self, FrameError> {
        let (channel_id, rest) = input.split_first_chunk::<16>().ok_or(FrameError::Truncated)?;
        let (number, rest) = rest.split_first_chunk::<2>().ok_or(FrameError::Truncated)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(FrameError::Truncated)?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_FRAME_DATA_BYTES {
            return Err(FrameError::TooLong(length));
        }
        let (data, rest) = rest.split_at_checked(length).ok_or(FrameError::Truncated)?;
        let (&last, rest) = rest.split_first().ok_or(FrameError::Truncated)?;
        let is_last = match last {
            0 => false,
            1 => true,
            other => return Err(FrameError::LastFlag(other)),
        };
        *input = rest;
        Ok(Self {
            channel_id: channel_id.into(),
            number: u16::from_be_bytes(*number),
            data: data.to_vec(),
            is_last,
        })
    }
}
