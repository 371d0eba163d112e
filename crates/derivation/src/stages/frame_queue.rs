//! Frame queue: frames in strict order.

use std::collections::VecDeque;

use alloy_primitives::Bytes;
use openledger_protocol::{Frame, decode_batcher_transaction};
use tracing::debug;

/// Frames of one batcher transaction at a time, and the transactions after it.
#[derive(Debug, Default)]
pub(crate) struct FrameQueue {
    data: VecDeque<Bytes>,
    frames: VecDeque<Frame>,
}

impl FrameQueue {
    pub(crate) fn push(&mut self, data: Vec<Bytes>) {
        self.data.extend(data);
    }

    /// The next frame, if the data seen so far has one.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        while self.frames.is_empty() {
            let data = self.data.pop_front()?;
            match decode_batcher_transaction(&data) {
                Ok(frames) => self.frames = ordered(frames).into(),
                Err(error) => debug!(%error, "passing over data of the batcher"),
            }
        }
        self.frames.pop_front()
    }
}

/// Drops frames that are out of order, and channels that are followed by another's first frame.
fn ordered(frames: Vec<Frame>) -> Vec<Frame> {
    let mut kept: Vec<Frame> = Vec::with_capacity(frames.len());
    for frame in frames {
        let Some(before) = kept.last() else {
            // A channel that was begun earlier may go on here: the assembler knows.
            kept.push(frame);
            continue;
        };
        if before.channel_id == frame.channel_id {
            let follows = !before.is_last && before.number.checked_add(1) == Some(frame.number);
            if follows {
                kept.push(frame);
            }
        } else if frame.number == 0 {
            if !before.is_last {
                let unfinished = before.channel_id;
                while kept.last().is_some_and(|frame| frame.channel_id == unfinished) {
                    kept.pop();
                }
            }
            kept.push(frame);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use openledger_protocol::ChannelId;

    use super::*;

    fn kept(frames: &[(u8, u16, bool)]) -> Vec<(u8, u16)> {
        let frame = |&(id, number, is_last): &(u8, u16, bool)| Frame {
            channel_id: ChannelId::repeat_byte(id),
            number,
            data: Vec::new(),
            is_last,
        };
        let kept = ordered(frames.iter().map(frame).collect());
        kept.iter().map(|frame| (frame.channel_id[0], frame.number)).collect()
    }

    #[test]
    fn frames_that_do_not_follow_are_dropped() {
        assert_eq!(kept(&[(1, 0, false), (1, 2, false), (1, 1, true)]), [(1, 0), (1, 1)]);
        assert_eq!(kept(&[(1, 0, true), (1, 1, false)]), [(1, 0)]);
        assert_eq!(kept(&[(1, 0, true), (2, 1, false), (2, 0, true)]), [(1, 0), (2, 0)]);
    }

    #[test]
    fn a_new_channel_drops_an_unfinished_one() {
        let frames = [(1, 0, true), (2, 0, false), (2, 1, false), (3, 0, true)];
        assert_eq!(kept(&frames), [(1, 0), (3, 0)]);
    }

    #[test]
    fn a_channel_begun_before_may_go_on() {
        assert_eq!(kept(&[(1, 4, true), (2, 0, true)]), [(1, 4), (2, 0)]);
    }
}
