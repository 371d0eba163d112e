//! Channel assembler: the one channel that is open.

use openledger_chainspec::RollupConfig;
use openledger_protocol::{Channel, L1BlockRef, MAX_RLP_BYTES_PER_CHANNEL};
use tracing::debug;

use super::FrameQueue;

/// Puts frames together; a first frame drops what was begun before.
#[derive(Debug, Default)]
pub(crate) struct ChannelAssembler {
    frames: FrameQueue,
    channel: Option<Channel>,
}

impl ChannelAssembler {
    pub(crate) const fn frames(&mut self) -> &mut FrameQueue {
        &mut self.frames
    }

    /// The compressed bytes of the next complete channel, if the frames so far complete one.
    pub(crate) fn next(&mut self, config: &RollupConfig, origin: &L1BlockRef) -> Option<Vec<u8>> {
        let timeout = config.channel_timeout_at(origin.timestamp);
        self.channel = self.channel.take().filter(|open| !open.is_timed_out(origin.number, timeout));
        loop {
            let frame = self.frames.next()?;
            if frame.number == 0 {
                self.channel = Some(Channel::new(frame.channel_id, *origin));
            }
            let Some(channel) = &mut self.channel else {
                debug!(channel = %frame.channel_id, number = frame.number, "frame of no open channel");
                continue;
            };
            if channel.next_number() != Some(frame.number) {
                debug!(channel = %frame.channel_id, number = frame.number, "frame is out of order");
                continue;
            }
            if let Err(error) = channel.add(frame) {
                debug!(%error, "frame is dropped");
                continue;
            }
            if channel.size_bytes() > MAX_RLP_BYTES_PER_CHANNEL {
                debug!(channel = %channel.id(), "channel is too large");
                self.channel = None;
            } else if channel.is_ready() {
                return self.channel.take().and_then(Channel::into_data);
            }
        }
    }
}
