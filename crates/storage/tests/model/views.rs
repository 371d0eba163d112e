//! What a view of the database must show.

use alloy_primitives::{B256, U256, keccak256};
use alloy_trie::{Nibbles, proof::verify_proof};
use openledger_storage::StateView;
use revm::DatabaseRef;

use super::{Account, Model, SLOTS, addresses};

/// The view shows exactly the model, and proves it.
pub fn assert_state(view: &StateView, model: &Model) {
    assert_eq!(view.state_root(), model.root());
    let slots: Vec<B256> = (0..SLOTS).map(|slot| B256::from(U256::from(slot))).collect();
    for address in addresses() {
        let expected = model.accounts.get(&address);
        let info = view.basic_ref(address).unwrap();
        assert_eq!(info.as_ref().map(|info| info.balance), expected.map(|account| account.balance));
        assert_eq!(info.as_ref().map(|info| info.nonce), expected.map(|account| account.nonce));
        if let Some(info) = &info {
            let code = view.code_by_hash_ref(info.code_hash).unwrap();
            assert_eq!(code.original_bytes(), expected.unwrap().code);
        }
        let proof = view.proof(address, &slots).unwrap();
        let leaf = proof.account.map(alloy_rlp::encode);
        assert_eq!(proof.account, expected.map(Account::trie_account));
        verify_proof(view.state_root(), Nibbles::unpack(keccak256(address)), leaf, &proof.proof).unwrap();
        let storage_root = proof.account.unwrap_or_default().storage_root;
        for slot in proof.storage_proofs {
            let index = U256::from_be_bytes(slot.slot.0);
            let value = expected.and_then(|account| account.storage.get(&index)).copied().unwrap_or_default();
            assert_eq!(view.storage_ref(address, index).unwrap(), value);
            assert_eq!(slot.value, value);
            let leaf = (!value.is_zero()).then(|| alloy_rlp::encode(value));
            verify_proof(storage_root, Nibbles::unpack(keccak256(slot.slot)), leaf, &slot.proof).unwrap();
        }
    }
}
