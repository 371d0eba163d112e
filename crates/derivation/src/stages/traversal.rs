//! L1 traversal: one block after the other, and who the batcher is in each.

use alloy_eips::BlockNumHash;
use openledger_chainspec::SystemConfig;
use openledger_protocol::{ConfigUpdate, L1BlockRef};

use crate::DerivationError;

/// Where in L1 the pipeline is.
#[derive(Debug)]
pub(crate) struct Traversal {
    start: BlockNumHash,
    current: Option<L1BlockRef>,
    system_config: SystemConfig,
}

impl Traversal {
    pub(crate) const fn new(start: BlockNumHash, system_config: SystemConfig) -> Self {
        Self { start, current: None, system_config }
    }

    /// The block read last; `None` before the first.
    pub(crate) const fn origin(&self) -> Option<L1BlockRef> {
        self.current
    }

    /// The number of the block to read next.
    pub(crate) fn next_number(&self) -> u64 {
        self.current.map_or(self.start.number, |current| current.number.saturating_add(1))
    }

    /// Whether `block` is the one to read next.
    pub(crate) fn check(&self, block: &L1BlockRef) -> Result<(), DerivationError> {
        let fits = match self.current {
            None => block.id() == self.start,
            Some(current) => {
                block.number == current.number.saturating_add(1) && block.parent_hash == current.hash
            }
        };
        fits.then_some(()).ok_or(DerivationError::L1Reorg { number: block.number })
    }

    /// The configuration after `updates`, which is in force in their own block already.
    pub(crate) fn config_after(&self, updates: &[ConfigUpdate]) -> SystemConfig {
        let mut config = self.system_config;
        updates.iter().for_each(|update| update.apply(&mut config));
        config
    }

    pub(crate) fn advance(&mut self, block: L1BlockRef, system_config: SystemConfig) {
        self.current = Some(block);
        self.system_config = system_config;
    }
}
