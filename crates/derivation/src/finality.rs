//! Which L2 block becomes final with which L1 block.

use std::collections::VecDeque;

use alloy_eips::BlockNumHash;
use openledger_protocol::L1BlockRef;

/// More L1 blocks than are ever without finality in health; beyond, the oldest entries go, and
/// finality is only later by that.
const MAX_ENTRIES: usize = 4096;

/// For each L1 block, the last L2 block derived from it.
#[derive(Debug, Default)]
pub(crate) struct Finality {
    entries: VecDeque<(L1BlockRef, BlockNumHash)>,
}

impl Finality {
    pub(crate) fn note(&mut self, derived_from: L1BlockRef, block: BlockNumHash) {
        match self.entries.back_mut() {
            Some((last, l2)) if last.hash == derived_from.hash => *l2 = block,
            _ => self.entries.push_back((derived_from, block)),
        }
        if self.entries.len() > MAX_ENTRIES {
            self.entries.pop_front();
        }
    }

    /// The newest entry at or below L1 block `number`.
    pub(crate) fn at(&self, number: u64) -> Option<(L1BlockRef, BlockNumHash)> {
        self.entries.iter().rev().find(|(l1, _)| l1.number <= number).copied()
    }

    /// Forgets the entries up to `number`.
    pub(crate) fn forget(&mut self, number: u64) {
        self.entries.retain(|(l1, _)| l1.number > number);
    }
}
