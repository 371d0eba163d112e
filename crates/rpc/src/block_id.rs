//! From what a caller names to one block.

use alloy_consensus::Header;
use alloy_eips::{BlockId, BlockNumHash, BlockNumberOrTag};
use alloy_primitives::B256;
use openledger_storage::{Block, StateView};

use crate::{
    error::{RpcError, RpcResult},
    node::Node,
};

impl Node {
    /// The number of a tag's block.
    pub(crate) fn number_of_tag(&self, tag: BlockNumberOrTag) -> u64 {
        let heads = self.database.heads();
        match tag {
            BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => heads.latest.number,
            BlockNumberOrTag::Safe => heads.safe.number,
            BlockNumberOrTag::Finalized => heads.finalized.number,
            BlockNumberOrTag::Earliest => 0,
            BlockNumberOrTag::Number(number) => number,
        }
    }

    /// The block's number and hash; `None` where there is none.
    pub(crate) fn find(&self, id: BlockId) -> RpcResult<Option<BlockNumHash>> {
        Ok(match id {
            BlockId::Hash(hash) => {
                let hash = hash.block_hash;
                self.database.number_of(hash)?.map(|number| BlockNumHash { number, hash })
            }
            BlockId::Number(tag) => {
                let number = self.number_of_tag(tag);
                if number > self.database.heads().latest.number {
                    return Ok(None);
                }
                self.database.hash_of(number)?.map(|hash| BlockNumHash { number, hash })
            }
        })
    }

    /// The block's number and hash, or an error that names it.
    pub(crate) fn locate(&self, id: BlockId) -> RpcResult<BlockNumHash> {
        self.find(id)?.ok_or(RpcError::BlockNotFound(id))
    }

    /// The block's header and hash.
    pub(crate) fn header(&self, id: BlockId) -> RpcResult<(Header, B256)> {
        let at = self.locate(id)?;
        let header = self.database.header_by_number(at.number)?;
        Ok((header.ok_or(RpcError::BlockNotFound(id))?, at.hash))
    }

    /// The block and its hash; `None` where there is none.
    pub(crate) fn block(&self, id: BlockId) -> RpcResult<Option<(Block, B256)>> {
        let Some(at) = self.find(id)? else { return Ok(None) };
        Ok(self.database.block_by_number(at.number)?.map(|block| (block, at.hash)))
    }

    /// The state after the block; the latest where the caller names none.
    pub(crate) fn state_at(&self, id: Option<BlockId>) -> RpcResult<StateView> {
        let at = self.locate(id.unwrap_or_default())?;
        Ok(self.database.state_at(at.number)?)
    }
}
