//! [`ChainEngine`] for the node's engine.

use alloy_consensus::Block;
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_engine::{EngineError, EngineHandle, Handling};
use openledger_primitives::OpenTxEnvelope;

use crate::{BuildOutcome, ChainEngine, ChainHeads, EngineFailure, Reaction};

impl From<EngineError> for EngineFailure {
    fn from(error: EngineError) -> Self {
        let reaction = match error.handling() {
            Handling::Retry => Reaction::Retry,
            Handling::Reset => Reaction::Reset,
            Handling::Stop => Reaction::Stop,
        };
        Self { reason: error.to_string(), reaction }
    }
}

fn storage(error: impl std::fmt::Display) -> EngineFailure {
    EngineFailure { reason: error.to_string(), reaction: Reaction::Stop }
}

impl ChainEngine for EngineHandle {
    fn heads(&self) -> Result<ChainHeads, EngineFailure> {
        let heads = self.database().heads();
        Ok(ChainHeads { unsafe_head: heads.latest, safe: heads.safe, finalized: heads.finalized })
    }

    fn block(&self, number: u64) -> Result<Option<(B256, Block<OpenTxEnvelope>)>, EngineFailure> {
        let Some(block) = self.database().block_by_number(number).map_err(storage)? else {
            return Ok(None);
        };
        // Read after the block, so that a reorganisation in between is noticed.
        let hash = self.database().hash_of(number).map_err(storage)?;
        Ok(hash.filter(|hash| *hash == block.header.hash_slow()).map(|hash| (hash, block)))
    }

    async fn build_and_insert(
        &self,
        parent: B256,
        attributes: OpPayloadAttributes,
    ) -> Result<BuildOutcome, EngineFailure> {
        let built = match self.build(parent, attributes, Vec::new()).await {
            Ok(built) => built,
            Err(EngineError::Invalid(error)) if error.is_invalid_block() => {
                return Ok(BuildOutcome::Invalid(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        let hash = built.hash;
        self.insert(built.block.clone()).await?;
        Ok(BuildOutcome::Inserted { hash, block: Box::new(built.block) })
    }

    async fn reorg_to(&self, ancestor: BlockNumHash) -> Result<(), EngineFailure> {
        Ok(Self::reorg_to(self, ancestor).await?)
    }

    async fn set_safe(&self, block: BlockNumHash) -> Result<(), EngineFailure> {
        Ok(Self::set_safe(self, block).await?)
    }

    async fn set_finalized(&self, block: BlockNumHash) -> Result<(), EngineFailure> {
        Ok(Self::set_finalized(self, block).await?)
    }
}
