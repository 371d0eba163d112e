//! Channels: frames put together again, within bounds.

use std::collections::BTreeMap;

use crate::{ChannelId, Frame, L1BlockRef, MAX_FRAME_DATA_BYTES};

/// The most bytes of open channels that a node keeps, from Fjord on.
pub const MAX_CHANNEL_BANK_BYTES: usize = 1_000_000_000;

/// What a frame counts beyond its data when a channel's size is reckoned.
const FRAME_MEMORY_OVERHEAD_BYTES: usize = 200;

/// The frames of one channel seen so far. They may come in any order.
#[derive(Debug, Clone)]
pub struct Channel {
    id: ChannelId,
    open_block: L1BlockRef,
    frames: BTreeMap<u16, Vec<u8>>,
    last_number: Option<u16>,
    size_bytes: usize,
}

/// Why a frame is not taken. The channel stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The frame is another channel's.
    #[error("frame of channel {found} added to channel {expected}")]
    OtherChannel {
        /// The frame's channel.
        found: ChannelId,
        /// This channel.
        expected: ChannelId,
    },
    /// A frame of that number is here.
    #[error("frame {0} is here already")]
    Duplicate(u16),
    /// The channel has a last frame.
    #[error("frame {0} closes a channel that is closed already")]
    ClosedTwice(u16),
    /// The channel ends before this frame.
    #[error("frame {number} is beyond the last, {last}")]
    BeyondLast {
        /// The frame's number.
        number: u16,
        /// The last frame's number.
        last: u16,
    },
}

impl Channel {
    /// An empty channel whose first frame was seen in `open_block`.
    pub const fn new(id: ChannelId, open_block: L1BlockRef) -> Self {
        Self { id, open_block, frames: BTreeMap::new(), last_number: None, size_bytes: 0 }
    }

    /// The channel's name.
    pub const fn id(&self) -> ChannelId {
        self.id
    }

    /// The L1 block of its first frame.
    pub const fn open_block(&self) -> L1BlockRef {
        self.open_block
    }

    /// Bytes that count against limits: data plus an allowance a frame.
    pub const fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Whether the channel is too old in L1 block `number`.
    pub const fn is_timed_out(&self, number: u64, timeout_blocks: u64) -> bool {
        number > self.open_block.number.saturating_add(timeout_blocks)
    }

    /// The number that the next frame must have where frames must come in order.
    pub fn next_number(&self) -> Option<u16> {
        match self.frames.last_key_value() {
            Some((last, _)) => last.checked_add(1),
            None => Some(0),
        }
    }

    /// Takes a frame. A closing frame drops frames numbered above it.
    pub fn add(&mut self, frame: Frame) -> Result<(), ChannelError> {
        let number = frame.number;
        if frame.channel_id != self.id {
            let found = frame.channel_id;
            return Err(ChannelError::OtherChannel { found, expected: self.id });
        }
        if self.frames.contains_key(&number) {
            return Err(ChannelError::Duplicate(number));
        }
        match self.last_number {
            Some(_) if frame.is_last => return Err(ChannelError::ClosedTwice(number)),
            Some(last) if number > last => {
                return Err(ChannelError::BeyondLast { number, last });
            }
            _ => {}
        }
        if frame.is_last {
            self.last_number = Some(number);
            let beyond = self.frames.split_off(&number);
            self.size_bytes -= beyond.values().map(|data| size_of_frame(data)).sum::<usize>();
        }
        self.size_bytes += size_of_frame(&frame.data);
        self.frames.insert(number, frame.data);
        Ok(())
    }

    /// Whether every frame up to the closing one is here.
    pub fn is_ready(&self) -> bool {
        self.last_number.is_some_and(|last| self.frames.len() == usize::from(last) + 1)
    }

    /// The compressed bytes of a channel that [is ready](Self::is_ready); `None` before.
    pub fn into_data(self) -> Option<Vec<u8>> {
        self.is_ready().then(|| self.frames.into_values().collect::<Vec<_>>().concat())
    }
}

const fn size_of_frame(data: &[u8]) -> usize {
    data.len() + FRAME_MEMORY_OVERHEAD_BYTES
}

/// Cuts a channel's compressed bytes into frames of at most `max_data_bytes` of data, the last one
/// closing the channel. `None` when that takes more than 65,536 frames.
pub fn split_into_frames(id: ChannelId, data: &[u8], max_data_bytes: usize) -> Option<Vec<Frame>> {
    let size = max_data_bytes.clamp(1, MAX_FRAME_DATA_BYTES);
    let count = data.len().div_ceil(size).max(1);
    if count > usize::from(u16::MAX) + 1 {
        return None;
    }
    let frame = |index: usize| {
        let start = index * size;
        Frame {
            channel_id: id,
            number: index as u16,
            data: data[start..data.len().min(start + size)].to_vec(),
            is_last: index + 1 == count,
        }
    };
    Some((0..count).map(frame).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: ChannelId = ChannelId::repeat_byte(5);

    fn frame(number: u16, is_last: bool) -> Frame {
        Frame { channel_id: ID, number, data: vec![number as u8], is_last }
    }

    #[test]
    fn a_channel_times_out_only_after_the_whole_timeout() {
        let channel = Channel::new(ID, L1BlockRef { number: 100, ..Default::default() });
        assert!(!channel.is_timed_out(150, 50));
        assert!(channel.is_timed_out(151, 50));
    }

    #[test]
    fn a_closing_frame_drops_the_frames_above_it() {
        let mut channel = Channel::new(ID, L1BlockRef::default());
        channel.add(frame(3, false)).unwrap();
        channel.add(frame(1, true)).unwrap();
        assert_eq!(channel.size_bytes(), 201);
        assert_eq!(channel.add(frame(2, false)), Err(ChannelError::BeyondLast { number: 2, last: 1 }));
        assert_eq!(channel.add(frame(0, true)), Err(ChannelError::ClosedTwice(0)));
        assert_eq!(channel.add(frame(1, false)), Err(ChannelError::Duplicate(1)));
        assert!(!channel.is_ready());
        channel.add(frame(0, false)).unwrap();
        assert_eq!(channel.into_data(), Some(vec![0, 1]));
    }

    #[test]
    fn an_empty_channel_is_one_closing_frame_and_a_huge_one_is_refused() {
        let frames = split_into_frames(ID, &[], 10).unwrap();
        assert!(frames.len() == 1 && frames[0].is_last);
        assert!(split_into_frames(ID, &vec![0; 70_000], 1).is_none());
    }

    proptest! {
        #[test]
        fn a_channel_is_put_together_from_frames_in_any_order(
            data in prop::collection::vec(any::<u8>(), 0..500), size in 1usize..50, seed in any::<u64>()
        ) {
            let mut frames = split_into_frames(ID, &data, size).unwrap();
            let mut state = seed | 1;
            for i in (1..frames.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                frames.swap(i, (state >> 33) as usize % (i + 1));
            }
            let mut channel = Channel::new(ID, L1BlockRef::default());
            for frame in frames {
                prop_assert!(!channel.is_ready());
                channel.add(frame).unwrap();
            }
            prop_assert_eq!(channel.into_data(), Some(data));
        }
    }
}
