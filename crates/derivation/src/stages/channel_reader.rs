//! Channel reader: the batches of a complete channel.

use openledger_chainspec::RollupConfig;
use openledger_protocol::{Batch, BatchReader, L1BlockRef};
use tracing::debug;

use super::ChannelAssembler;

/// One pull from a stage.
#[derive(Debug)]
pub(crate) enum Pull<T> {
    /// Here it is.
    Ready(T),
    /// Something was dropped: pull again.
    Again,
    /// Everything from the L1 blocks so far has been read.
    OutOfData,
}

/// Reads the open channel batch by batch.
#[derive(Debug, Default)]
pub(crate) struct ChannelReader {
    channels: ChannelAssembler,
    reader: Option<BatchReader>,
}

impl ChannelReader {
    pub(crate) const fn channels(&mut self) -> &mut ChannelAssembler {
        &mut self.channels
    }

    pub(crate) fn next(&mut self, config: &RollupConfig, origin: &L1BlockRef) -> Pull<Batch> {
        let Some(reader) = &mut self.reader else {
            let Some(channel) = self.channels.next(config, origin) else { return Pull::OutOfData };
            self.reader = Some(BatchReader::new(&channel));
            return Pull::Again;
        };
        match reader.next_batch(config.l2_chain_id) {
            Ok(Some(batch)) => return Pull::Ready(batch),
            Ok(None) => {
                if let Some(error) = reader.compression_error() {
                    debug!(%error, "channel ends early");
                }
            }
            Err(error) => debug!(%error, "dropping the rest of a channel"),
        }
        self.reader = None;
        Pull::Again
    }

    /// Drops the rest of the channel.
    pub(crate) fn flush(&mut self) {
        self.reader = None;
    }
}
