//! The state at one root, read out of a witness.

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rlp::{Decodable, decode_exact};
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, Nibbles, TrieAccount};
use openledger_trie::{StateSource, StoredNode};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

use crate::{Witness, WitnessError, walk::Walk};

/// The state after one block, out of a witness.
#[derive(Debug, Clone, Copy)]
pub struct WitnessState<'a> {
    witness: &'a Witness,
    header: &'a Header,
}

fn decode<T: Decodable>(what: &'static str, bytes: &[u8]) -> Result<T, WitnessError> {
    decode_exact(bytes).map_err(|error| WitnessError::Malformed { what, reason: error.to_string() })
}

impl<'a> WitnessState<'a> {
    /// The state after the block with this header.
    pub const fn new(witness: &'a Witness, header: &'a Header) -> Self {
        Self { witness, header }
    }

    /// The state root.
    pub const fn root(&self) -> B256 {
        self.header.state_root
    }

    const fn accounts(&self) -> Walk<'a> {
        Walk { witness: self.witness, root: self.header.state_root }
    }

    fn storage(&self, hashed_address: B256) -> Result<Walk<'a>, WitnessError> {
        let account = self.account(hashed_address)?;
        let root = account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        Ok(Walk { witness: self.witness, root })
    }
}

impl StateSource for WitnessState<'_> {
    type Error = WitnessError;

    fn account(&self, hashed_address: B256) -> Result<Option<TrieAccount>, WitnessError> {
        self.accounts().value(hashed_address)?.map(|bytes| decode("account", &bytes)).transpose()
    }

    fn slot(&self, hashed_address: B256, hashed_slot: B256) -> Result<U256, WitnessError> {
        let value = self.storage(hashed_address)?.value(hashed_slot)?;
        value.map_or(Ok(U256::ZERO), |bytes| decode("slot", &bytes))
    }

    fn seek_account(&self, from: B256) -> Result<Option<(B256, TrieAccount)>, WitnessError> {
        let found = self.accounts().seek(from)?;
        found.map(|(key, bytes)| Ok((key, decode("account", &bytes)?))).transpose()
    }

    fn seek_slot(&self, hashed_address: B256, from: B256) -> Result<Option<(B256, U256)>, WitnessError> {
        let found = self.storage(hashed_address)?.seek(from)?;
        found.map(|(key, bytes)| Ok((key, decode("slot", &bytes)?))).transpose()
    }

    fn account_node(&self, path: &Nibbles) -> Result<Option<StoredNode>, WitnessError> {
        self.accounts().stored(path)
    }

    fn storage_node(&self, hashed_address: B256, path: &Nibbles) -> Result<Option<StoredNode>, WitnessError> {
        self.storage(hashed_address)?.stored(path)
    }
}

impl DatabaseRef for WitnessState<'_> {
    type Error = WitnessError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, WitnessError> {
        let account = self.account(keccak256(address))?;
        Ok(account
            .map(|account| AccountInfo {
                balance: account.balance,
                nonce: account.nonce,
                code_hash: account.code_hash,
                ..Default::default()
            })
            .map(|info| AccountInfo { code: None, ..info }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, WitnessError> {
        if code_hash == KECCAK_EMPTY {
            return Ok(Bytecode::default());
        }
        let code = self.witness.get("code", code_hash)?.clone();
        // A delegation that is none would have been refused when it was set.
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
        // Every step takes the number the header says, so the way ends.
        while header.number > number.saturating_add(1) {
            let before: Header = decode("header", self.witness.get("header", header.parent_hash)?)?;
            if before.number >= header.number {
                return Err(WitnessError::NoAncestor(before.number));
            }
            header = before;
        }
        Ok(header.parent_hash)
    }
}
