//! The genesis header: the state root of the allocation, and the fields that the active forks add.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::{eip1559::INITIAL_BASE_FEE, eip7685::EMPTY_REQUESTS_HASH};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_hardforks::EthereumHardforks;
use alloy_op_hardforks::OpHardforks;
use alloy_primitives::{B64, B256, U256, keccak256};
use op_alloy_consensus::predeploys::L2_TO_L1_MESSAGE_PASSER_ADDRESS;
use openledger_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount, state_root, storage_root};

use crate::ChainSpec;

impl ChainSpec {
    /// Builds the header that [`ChainSpec::genesis_header`] then returns.
    pub(crate) fn build_genesis_header(&self) -> Header {
        let genesis = self.genesis();
        let number = genesis.number.unwrap_or_default();
        let timestamp = genesis.timestamp;
        let cancun = self.is_cancun_active_at_timestamp(timestamp);
        let withdrawals_root = if self.is_isthmus_active_at_timestamp(timestamp) {
            Some(message_passer_root(genesis))
        } else {
            self.is_shanghai_active_at_timestamp(timestamp).then_some(EMPTY_ROOT_HASH)
        };
        Header {
            parent_hash: genesis.parent_hash.unwrap_or_default(),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: genesis.coinbase,
            state_root: genesis_state_root(genesis),
            transactions_root: EMPTY_ROOT_HASH,
            receipts_root: EMPTY_ROOT_HASH,
            difficulty: genesis.difficulty,
            number,
            gas_limit: genesis.gas_limit,
            timestamp,
            extra_data: self.genesis_extra_data(),
            mix_hash: genesis.mix_hash,
            nonce: B64::from(genesis.nonce),
            base_fee_per_gas: self.is_london_active_at_block(number).then(|| {
                genesis
                    .base_fee_per_gas
                    .map_or(INITIAL_BASE_FEE, |fee| u64::try_from(fee).unwrap_or(u64::MAX))
            }),
            withdrawals_root,
            blob_gas_used: cancun.then(|| genesis.blob_gas_used.unwrap_or_default()),
            excess_blob_gas: cancun.then(|| genesis.excess_blob_gas.unwrap_or_default()),
            parent_beacon_block_root: cancun.then_some(B256::ZERO),
            requests_hash: self.is_prague_active_at_timestamp(timestamp).then_some(EMPTY_REQUESTS_HASH),
            ..Default::default()
        }
    }

    /// The file's `extraData`, or where it has none and Holocene is active, the chain's parameters.
    fn genesis_extra_data(&self) -> alloy_primitives::Bytes {
        let genesis = self.genesis();
        if genesis.extra_data.is_empty() {
            // Validation bounds the parameters to `u32`, which is all that encoding can refuse.
            self.encode_extra_data(genesis.timestamp, B64::ZERO, None).unwrap_or_default()
        } else {
            genesis.extra_data.clone()
        }
    }
}

/// The state root of the allocation.
fn genesis_state_root(genesis: &Genesis) -> B256 {
    let mut accounts: Vec<_> =
        genesis.alloc.iter().map(|(address, account)| (keccak256(address), trie_account(account))).collect();
    accounts.sort_unstable_by_key(|(hashed_address, _)| *hashed_address);
    state_root(accounts)
}

/// The storage root of the message passer, which stands in the header's `withdrawals_root`.
fn message_passer_root(genesis: &Genesis) -> B256 {
    genesis
        .alloc
        .get(&L2_TO_L1_MESSAGE_PASSER_ADDRESS)
        .map_or(EMPTY_ROOT_HASH, |account| storage_root(hashed_storage(account)))
}

fn trie_account(account: &GenesisAccount) -> TrieAccount {
    TrieAccount::new(
        account.nonce.unwrap_or_default(),
        account.balance,
        storage_root(hashed_storage(account)),
        account.code_hash().unwrap_or(KECCAK_EMPTY),
    )
}

/// The account's storage as its trie has it: hashed slots in order, zero values left out.
fn hashed_storage(account: &GenesisAccount) -> Vec<(B256, U256)> {
    let mut storage: Vec<_> = account
        .storage_slots()
        .filter(|(_, value)| !value.is_zero())
        .map(|(slot, value)| (keccak256(slot), value))
        .collect();
    storage.sort_unstable_by_key(|(hashed_slot, _)| *hashed_slot);
    storage
}
