//! The state at one block, unchanged by what is appended or unwound meanwhile.

use alloy_consensus::Header;
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use openledger_trie::{AccountProof, KECCAK_EMPTY, StorageProof, TrieAccount, TrieBuilder};
use revm::{DatabaseRef, bytecode::Bytecode, database::BundleState, state::AccountInfo};

use crate::{
    Result, StateUpdate, StorageError,
    changes::out_of_order,
    codec::{array, decode, decode_heads, encode_slot},
    columns, database,
    leaves::{Leaf, Source, leaves_at, overlaid, value_at},
    overlay::Overlays,
    store::Snapshot,
};

/// The state after one block. Cheap to clone; keep it no longer than needed, for it holds back the
/// database's clean-up.
#[derive(Debug, Clone)]
pub struct StateView {
    snapshot: Snapshot,
    block: BlockNumHash,
    state_root: B256,
    /// The block's number where the snapshot's head is a later one.
    at: Option<u64>,
    /// Blocks that are not stored, over the snapshot's head.
    overlays: Overlays,
}

impl StateView {
    /// The state after block `number`, or after the head.
    pub(crate) fn new(snapshot: Snapshot, number: Option<u64>) -> Result<Self> {
        let heads = snapshot
            .get(columns::META, database::HEADS_KEY)?
            .ok_or_else(|| StorageError::corrupt("heads", "missing"))?;
        let head = decode_heads(&heads)?.latest.number;
        let number = number.unwrap_or(head);
        let missing = StorageError::NoSuchBlock { number, head };
        if number > head {
            return Err(missing);
        }
        let key = columns::number_key(number);
        let header = snapshot.get(columns::HEADERS, &key)?.ok_or_else(|| missing.clone())?;
        let header: Header = decode("header", &header)?;
        let hash = snapshot.get(columns::HASHES, &key)?.ok_or(missing)?;
        let block = BlockNumHash::new(number, B256::new(array("block hash", &hash)?));
        let at = (number < head).then_some(number);
        Ok(Self { snapshot, block, state_root: header.state_root, at, overlays: Overlays::default() })
    }

    /// The state after `block`, a child of this view's block that need not be stored.
    pub fn after(&self, block: BlockNumHash, update: &StateUpdate) -> Result<Self> {
        let mut view = self.clone();
        view.overlays.push(self.block, block, update.clone())?;
        view.block = block;
        view.state_root = update.state_root();
        Ok(view)
    }

    /// Computes the state that `changes` leave on top of this one.
    ///
    /// Account and storage changes count as the bundle has them: an account without info is removed
    /// with its storage, one that was destroyed loses its storage before the slots in the bundle are
    /// set. Old values are read here, not taken from the bundle.
    pub fn update(&self, changes: &BundleState) -> Result<StateUpdate> {
        StateUpdate::new(self, changes)
    }

    /// The block after which this is the state.
    pub const fn block(&self) -> BlockNumHash {
        self.block
    }

    /// The state root, as the block's header has it.
    pub const fn state_root(&self) -> B256 {
        self.state_root
    }

    /// The account as the trie has it; `None` where there is none.
    pub fn account(&self, address: Address) -> Result<Option<TrieAccount>> {
        self.hashed_account(keccak256(address))
    }

    /// The value of an account's slot; zero where there is none.
    pub fn slot(&self, address: Address, slot: B256) -> Result<U256> {
        self.hashed_slot(keccak256(address), keccak256(slot))
    }

    /// The code with this hash; `None` where the chain has none.
    pub fn code(&self, code_hash: B256) -> Result<Option<Bytes>> {
        if code_hash == KECCAK_EMPTY || code_hash.is_zero() {
            return Ok(Some(Bytes::new()));
        }
        if let Some(code) = self.overlays.code(code_hash) {
            return Ok(Some(code.clone()));
        }
        let Some(code) = self.snapshot.get(columns::CODES, code_hash.as_slice())? else { return Ok(None) };
        if keccak256(&code) != code_hash {
            return Err(StorageError::corrupt(format!("code {code_hash}"), "its hash is another"));
        }
        Ok(Some(code.into()))
    }

    /// The account and the slots asked for, with the proof of each (EIP-1186).
    ///
    /// Costs a pass over all accounts, and one over the account's storage.
    pub fn proof(&self, address: Address, slots: &[B256]) -> Result<AccountProof> {
        let hashed_address = keccak256(address);
        let mut trie = TrieBuilder::with_targets([hashed_address]);
        for leaf in self.account_leaves()? {
            let (key, account) = leaf?;
            trie.push_account(key, &decode("account", &account)?).map_err(out_of_order)?;
        }
        let proofs = trie.root_and_proofs();
        if proofs.root() != self.state_root {
            return Err(StorageError::corrupt(
                format!("state of block {}", self.block.number),
                format!("its root is {}, the header says {}", proofs.root(), self.state_root),
            ));
        }
        Ok(AccountProof {
            address,
            account: self.hashed_account(hashed_address)?,
            proof: proofs.proof_of(hashed_address),
            storage_proofs: self.storage_proofs(hashed_address, slots)?,
        })
    }

    fn storage_proofs(&self, hashed_address: B256, slots: &[B256]) -> Result<Vec<StorageProof>> {
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let mut trie = TrieBuilder::with_targets(slots.iter().map(keccak256));
        for leaf in self.slot_leaves(hashed_address)? {
            let (key, value) = leaf?;
            trie.push_slot(key, decode("slot", &value)?).map_err(out_of_order)?;
        }
        let proofs = trie.root_and_proofs();
        let expected = self.hashed_account(hashed_address)?.unwrap_or_default().storage_root;
        if proofs.root() != expected {
            let reason = format!("its storage has root {}, the account says {expected}", proofs.root());
            return Err(StorageError::corrupt(format!("account {hashed_address}"), reason));
        }
        slots
            .iter()
            .map(|&slot| {
                let hashed_slot = keccak256(slot);
                let value = self.hashed_slot(hashed_address, hashed_slot)?;
                Ok(StorageProof { slot, value, proof: proofs.proof_of(hashed_slot) })
            })
            .collect()
    }

    pub(crate) fn hashed_account(&self, hashed_address: B256) -> Result<Option<TrieAccount>> {
        if let Some(account) = self.overlays.account(hashed_address) {
            return Ok(account);
        }
        let (flat, history) = (columns::ACCOUNTS, columns::ACCOUNT_HISTORY);
        value_at(&self.snapshot, flat, history, hashed_address.as_slice(), self.at)?
            .map(|account| decode("account", &account))
            .transpose()
    }

    pub(crate) fn hashed_slot(&self, hashed_address: B256, hashed_slot: B256) -> Result<U256> {
        if let Some(value) = self.overlays.slot(hashed_address, hashed_slot) {
            return Ok(value);
        }
        let (flat, history) = (columns::STORAGE, columns::STORAGE_HISTORY);
        let key = columns::slot_key(hashed_address, hashed_slot);
        value_at(&self.snapshot, flat, history, &key, self.at)?
            .map_or(Ok(U256::ZERO), |value| decode("slot", &value))
    }

    /// Every account, by hashed address.
    pub(crate) fn account_leaves(&self) -> Result<impl Iterator<Item = Result<Leaf>> + '_> {
        let source = Source { flat: columns::ACCOUNTS, history: columns::ACCOUNT_HISTORY, owner: None };
        let changed = self.overlays.accounts().into_iter();
        let changed = changed.map(|(key, account)| (key, account.map(alloy_rlp::encode)));
        Ok(overlaid(leaves_at(&self.snapshot, source, self.at)?, changed))
    }

    /// Every slot of an account, by hashed slot.
    pub(crate) fn slot_leaves(
        &self,
        hashed_address: B256,
    ) -> Result<impl Iterator<Item = Result<Leaf>> + '_> {
        let source =
            Source { flat: columns::STORAGE, history: columns::STORAGE_HISTORY, owner: Some(hashed_address) };
        let changed = self.overlays.slots(hashed_address).into_iter();
        let changed = changed.map(|(key, value)| (key, (!value.is_zero()).then(|| encode_slot(value))));
        Ok(overlaid(leaves_at(&self.snapshot, source, self.at)?, changed))
    }
}

impl DatabaseRef for StateView {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>> {
        Ok(self.account(address)?.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: None,
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode> {
        let what = || format!("code {code_hash}");
        let code = self.code(code_hash)?.ok_or_else(|| StorageError::corrupt(what(), "missing"))?;
        Bytecode::new_raw_checked(code).map_err(|error| StorageError::corrupt(what(), error))
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256> {
        self.slot(address, B256::from(index))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256> {
        if number > self.block.number {
            return Ok(B256::ZERO);
        }
        if let Some(hash) = self.overlays.hash_of(number) {
            return Ok(hash);
        }
        match self.snapshot.get(columns::HASHES, &columns::number_key(number))? {
            Some(hash) => Ok(B256::new(array("block hash", &hash)?)),
            None => Ok(B256::ZERO),
        }
    }
}
