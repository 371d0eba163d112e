//! The three blocks by which a chain's finality is named.

use alloy_eips::BlockNumHash;
use rocksdb::WriteBatch;

use crate::{Database, Result, StorageError};

/// The heads of the chain: finalized ≤ safe ≤ latest, all on one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// The newest block stored.
    pub latest: BlockNumHash,
    /// The newest block derived from L1.
    pub safe: BlockNumHash,
    /// The newest block derived from finalized L1 blocks.
    pub finalized: BlockNumHash,
}

impl Database {
    /// Moves the safe head, forwards or backwards, to a block between finalized and latest.
    pub fn set_safe(&self, block: BlockNumHash) -> Result<()> {
        let mut writer = self.writer();
        let heads = self.heads();
        self.check_head("safe", block)?;
        if block.number < heads.finalized.number {
            let reason = format!("it is before the finalized block {}", heads.finalized.number);
            return Err(StorageError::InvalidHead { head: "safe", to: block, reason });
        }
        self.commit(&mut writer, WriteBatch::default(), Heads { safe: block, ..heads })
    }

    /// Moves the finalized head forwards, to a block that is safe.
    pub fn set_finalized(&self, block: BlockNumHash) -> Result<()> {
        let mut writer = self.writer();
        let heads = self.heads();
        self.check_head("finalized", block)?;
        let reason = if block.number > heads.safe.number {
            format!("it is after the safe block {}, move that one first", heads.safe.number)
        } else if block.number < heads.finalized.number {
            format!("it is before the finalized block {}", heads.finalized.number)
        } else {
            return self.commit(&mut writer, WriteBatch::default(), Heads { finalized: block, ..heads });
        };
        Err(StorageError::InvalidHead { head: "finalized", to: block, reason })
    }

    /// Refuses a head that is not on the chain.
    fn check_head(&self, head: &'static str, to: BlockNumHash) -> Result<()> {
        if self.hash_of(to.number)? == Some(to.hash) {
            return Ok(());
        }
        Err(StorageError::InvalidHead { head, to, reason: "it is not on the chain".to_owned() })
    }
}
