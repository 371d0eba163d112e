//! The state at one root, read out of a witness, and the root that changes leave.

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rlp::{Decodable, decode_exact};
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount};
use openledger_trie::{StateChanges, StorageChanges};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

use crate::{Witness, WitnessError, sparse::SparseTrie};

/// The state after one block, out of a witness.
#[derive(Debug, Clone, Copy)]
pub struct WitnessState<'a> {
    witness: &'a Witness,
    header: &'a Header,
}

/// What changes make of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateAfter {
    /// The state root.
    pub root: B256,
    /// The accounts that changed, by hashed address; `None` where the account is gone.
    pub accounts: BTreeMap<B256, Option<TrieAccount>>,
}

fn decode<T: Decodable>(what: &'static str, bytes: &[u8]) -> Result<T, WitnessError> {
    decode_exact(bytes).map_err(|error| WitnessError::Malformed { what, reason: error.to_string() })
}

impl<'a> WitnessState<'a> {
    /// The state after the block with this header.
    pub const fn new(witness: &'a Witness, header: &'a Header) -> Self {
        Self { witness, header }
    }

    /// The account under a hashed address.
    pub fn account(&self, hashed_address: B256) -> Result<Option<TrieAccount>, WitnessError> {
        let trie = SparseTrie::new(self.witness, self.header.state_root);
        trie.value(hashed_address)?.map(|bytes| decode("account", &bytes)).transpose()
    }

    /// The value of a slot; zero where it is not set.
    pub fn slot(&self, hashed_address: B256, hashed_slot: B256) -> Result<U256, WitnessError> {
        let account = self.account(hashed_address)?;
        let root = account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let value = SparseTrie::new(self.witness, root).value(hashed_slot)?;
        value.map_or(Ok(U256::ZERO), |bytes| decode("slot", &bytes))
    }

    /// Makes changes; the state itself stays as it is.
    pub fn after(&self, changes: &StateChanges) -> Result<StateAfter, WitnessError> {
        let mut accounts = BTreeMap::new();
        let mut leaves = Vec::with_capacity(changes.accounts.len());
        for (hashed_address, change) in &changes.accounts {
            let after = match change {
                None => None,
                Some(change) => Some(TrieAccount::new(
                    change.nonce,
                    change.balance,
                    self.storage_root_after(*hashed_address, changes.storages.get(hashed_address))?,
                    change.code_hash,
                )),
            };
            leaves.push((*hashed_address, after.map(alloy_rlp::encode)));
            accounts.insert(*hashed_address, after);
        }
        let mut trie = SparseTrie::new(self.witness, self.header.state_root);
        trie.apply(leaves)?;
        Ok(StateAfter { root: trie.root(), accounts })
    }

    fn storage_root_after(
        &self,
        hashed_address: B256,
        changes: Option<&StorageChanges>,
    ) -> Result<B256, WitnessError> {
        let before = self.account(hashed_address)?.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let Some(changes) = changes else { return Ok(before) };
        let mut trie = SparseTrie::new(self.witness, if changes.wiped { EMPTY_ROOT_HASH } else { before });
        let leaf = |value: U256| (!value.is_zero()).then(|| alloy_rlp::encode(value));
        trie.apply(changes.slots.iter().map(|(slot, change)| (*slot, leaf(change.value))).collect())?;
        Ok(trie.root())
    }
}

impl DatabaseRef for WitnessState<'_> {
    type Error = WitnessError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, WitnessError> {
        let account = self.account(keccak256(address))?;
        Ok(account.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: None,
            ..Default::default()
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, WitnessError> {
        if code_hash == KECCAK_EMPTY {
            return Ok(Bytecode::default());
        }
        let code = self.witness.get("code", code_hash)?.clone();
        Bytecode::new_raw_checked(code)
            .map_err(|error| WitnessError::Malformed { what: "code", reason: error.to_string() })
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, WitnessError> {
        self.slot(keccak256(address), keccak256(B256::from(slot)))
    }

    /// Walks back over the headers in the witness.
    fn block_hash_ref(&self, number: u64) -> Result<B256, WitnessError> {
        if number > self.header.number {
            return Err(WitnessError::NoAncestor(number));
        }
        if number == self.header.number {
            return Ok(self.header.hash_slow());
        }
        let mut header = self.header.clone();
        while header.number > number.saturating_add(1) {
            let before: Header = decode("header", self.witness.get("header", header.parent_hash)?)?;
            // Numbers fall with every step, so the way ends.
            if before.number >= header.number {
                return Err(WitnessError::NoAncestor(before.number));
            }
            header = before;
        }
        Ok(header.parent_hash)
    }
}
