//! What op-node would answer: `optimism_outputAtBlock`, `optimism_syncStatus`.

use alloy_consensus::Header;
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, U64, address, keccak256};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    L1Attributes,
    error::{RpcError, RpcResult},
    node::Node,
};

/// The predeploy whose storage root proves withdrawals.
const MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");

/// An L2 block as op-node names one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct L2BlockRef {
    hash: B256,
    number: u64,
    parent_hash: B256,
    timestamp: u64,
    #[serde(rename = "l1origin")]
    l1_origin: L1Origin,
    sequence_number: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct L1Origin {
    hash: B256,
    number: u64,
}

impl Node {
    fn l2_block_ref(&self, id: BlockId) -> RpcResult<(L2BlockRef, Header, Option<L1Attributes>)> {
        let (block, hash) = self.block(id)?.ok_or(RpcError::BlockNotFound(id))?;
        let attributes = L1Attributes::of(&block.body.transactions);
        let genesis = self.rollup.as_ref().map(|rollup| rollup.genesis.l1);
        let l1_origin = match (&attributes, genesis) {
            (Some(one), _) => L1Origin { hash: one.hash, number: one.number },
            (None, Some(l1)) => L1Origin { hash: l1.hash, number: l1.number },
            (None, None) => L1Origin { hash: B256::ZERO, number: 0 },
        };
        let block_ref = L2BlockRef {
            hash,
            number: block.header.number,
            parent_hash: block.header.parent_hash,
            timestamp: block.header.timestamp,
            l1_origin,
            sequence_number: attributes.map_or(0, |one| one.sequence_number),
        };
        Ok((block_ref, block.header, attributes))
    }

    /// `optimism_outputAtBlock`.
    pub(crate) fn output_at_block(&self, number: U64) -> RpcResult<Value> {
        let (block_ref, header, _) = self.l2_block_ref(number.to::<u64>().into())?;
        let state = self.database.state_at(block_ref.number)?;
        let storage_root = match header.withdrawals_root {
            // From Isthmus on the header has it; genesis may not.
            Some(root) if block_ref.number > 0 => root,
            _ => state
                .account(MESSAGE_PASSER)?
                .map_or(alloy_consensus::EMPTY_ROOT_HASH, |account| account.storage_root),
        };
        let mut preimage = [0; 128];
        preimage[32..64].copy_from_slice(header.state_root.as_slice());
        preimage[64..96].copy_from_slice(storage_root.as_slice());
        preimage[96..].copy_from_slice(block_ref.hash.as_slice());
        Ok(json!({
            "version": B256::ZERO,
            "outputRoot": keccak256(preimage),
            "blockRef": block_ref,
            "withdrawalStorageRoot": storage_root,
            "stateRoot": header.state_root,
            "syncStatus": self.sync_status()?,
        }))
    }

    /// `optimism_syncStatus`.
    pub(crate) fn sync_status(&self) -> RpcResult<Value> {
        let heads = self.database.heads();
        let (unsafe_l2, _, unsafe_l1) = self.l2_block_ref(heads.latest.number.into())?;
        let (safe_l2, _, safe_l1) = self.l2_block_ref(heads.safe.number.into())?;
        let (finalized_l2, _, finalized_l1) = self.l2_block_ref(heads.finalized.number.into())?;
        let l1 = |block: &L2BlockRef, attributes: Option<L1Attributes>| {
            json!({
                "hash": block.l1_origin.hash,
                "number": block.l1_origin.number,
                "parentHash": B256::ZERO,
                "timestamp": attributes.map_or(0, |one| one.timestamp),
            })
        };
        let safe_origin = l1(&safe_l2, safe_l1);
        let finalized_origin = l1(&finalized_l2, finalized_l1);
        Ok(json!({
            "current_l1": safe_origin,
            "current_l1_finalized": finalized_origin,
            "head_l1": l1(&unsafe_l2, unsafe_l1),
            "safe_l1": safe_origin,
            "finalized_l1": finalized_origin,
            "unsafe_l2": unsafe_l2,
            "safe_l2": safe_l2,
            "finalized_l2": finalized_l2,
            "pending_safe_l2": safe_l2,
            "cross_unsafe_l2": unsafe_l2,
            "local_safe_l2": safe_l2,
        }))
    }
}
