//! Accounts, code and slots at any block.

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_eth::{EIP1186AccountProofResponse, EIP1186StorageProof};
use alloy_serde::JsonStorageKey;
use openledger_storage::AccountProof;
use revm::DatabaseRef;

use crate::{
    error::{RpcError, RpcResult},
    node::Node,
};

/// Slots that one proof request may ask for.
const MAX_PROOF_SLOTS: usize = 1024;

impl Node {
    /// `eth_getBalance`.
    pub(crate) fn balance(&self, address: Address, id: Option<BlockId>) -> RpcResult<U256> {
        let account = self.state_at(id)?.basic_ref(address)?;
        Ok(account.map(|account| account.balance).unwrap_or_default())
    }

    /// `eth_getCode`.
    pub(crate) fn code(&self, address: Address, id: Option<BlockId>) -> RpcResult<Bytes> {
        let state = self.state_at(id)?;
        let Some(account) = state.basic_ref(address)? else { return Ok(Bytes::new()) };
        if account.is_empty_code_hash() {
            return Ok(Bytes::new());
        }
        let code = match account.code {
            Some(code) => code,
            None => state.code_by_hash_ref(account.code_hash)?,
        };
        Ok(code.original_bytes())
    }

    /// `eth_getStorageAt`.
    pub(crate) fn storage_at(
        &self,
        address: Address,
        slot: JsonStorageKey,
        id: Option<BlockId>,
    ) -> RpcResult<B256> {
        let slot = U256::from_be_bytes(slot.as_b256().0);
        Ok(self.state_at(id)?.storage_ref(address, slot)?.into())
    }

    /// `eth_getTransactionCount`; at `pending` it counts the pool.
    pub(crate) fn nonce(&self, address: Address, id: Option<BlockId>) -> RpcResult<u64> {
        let account = self.state_at(id)?.basic_ref(address)?;
        let mined = account.map(|account| account.nonce).unwrap_or_default();
        if id == Some(BlockId::Number(BlockNumberOrTag::Pending)) {
            return Ok(self.pool.pending_nonce(&address).unwrap_or_default().max(mined));
        }
        Ok(mined)
    }

    /// `eth_getProof`.
    pub(crate) fn proof(
        &self,
        address: Address,
        slots: Vec<JsonStorageKey>,
        id: Option<BlockId>,
    ) -> RpcResult<EIP1186AccountProofResponse> {
        if slots.len() > MAX_PROOF_SLOTS {
            let asked = slots.len();
            return Err(RpcError::LimitExceeded(format!(
                "{asked} slots in one proof: ask for {MAX_PROOF_SLOTS} at most"
            )));
        }
        let keys: Vec<_> = slots.iter().map(JsonStorageKey::as_b256).collect();
        let AccountProof { address, account, proof, storage_proofs } =
            self.state_at(id)?.proof(address, &keys)?;
        let account = account.unwrap_or_default();
        let storage_proof = slots.into_iter().zip(storage_proofs).map(|(key, slot)| EIP1186StorageProof {
            key,
            value: slot.value,
            proof: slot.proof,
        });
        Ok(EIP1186AccountProofResponse {
            address,
            balance: account.balance,
            code_hash: account.code_hash,
            nonce: account.nonce,
            storage_hash: account.storage_root,
            account_proof: proof,
            storage_proof: storage_proof.collect(),
        })
    }
}
