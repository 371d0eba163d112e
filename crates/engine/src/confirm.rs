//! Storage roots that the first execution's cache has named, confirmed by the second execution, which reads them itself.

use std::fmt::Debug;

use alloy_primitives::{Address, B256, U256, map::HashMap};
use openledger_storage::{KnownStorageRoots, StateView, StorageError};
use parking_lot::Mutex;
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

type Roots = Mutex<HashMap<Address, B256>>;

/// Storage roots as `known` has them; keeps what it was asked for.
#[derive(Debug)]
pub(crate) struct NamedRoots<'a, K> {
    known: &'a K,
    named: Roots,
}

impl<'a, K: KnownStorageRoots> NamedRoots<'a, K> {
    pub(crate) fn new(known: &'a K) -> Self {
        Self { known, named: Roots::default() }
    }

    /// Whether all that was named is what `read` has read.
    pub(crate) fn are_confirmed_by(self, read: RootsRead<'_>) -> bool {
        let read = read.roots.into_inner();
        self.named.into_inner().iter().all(|(address, root)| read.get(address) == Some(root))
    }
}

impl<K: KnownStorageRoots> KnownStorageRoots for NamedRoots<'_, K> {
    fn storage_root(&self, address: Address) -> Option<B256> {
        let root = self.known.storage_root(address)?;
        self.named.lock().insert(address, root);
        Some(root)
    }
}

/// A state to execute on; keeps the storage root of each account that is read.
#[derive(Debug)]
pub(crate) struct RootsRead<'a> {
    view: &'a StateView,
    roots: Roots,
}

impl<'a> RootsRead<'a> {
    pub(crate) fn new(view: &'a StateView) -> Self {
        Self { view, roots: Roots::default() }
    }
}

impl DatabaseRef for RootsRead<'_> {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        let account = self.view.account(address)?;
        if let Some(account) = &account {
            self.roots.lock().insert(address, account.storage_root);
        }
        Ok(account.map(StateView::info_of))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, StorageError> {
        self.view.code_by_hash_ref(code_hash)
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, StorageError> {
        self.view.storage_ref(address, index)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StorageError> {
        self.view.block_hash_ref(number)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alloy_genesis::{Genesis, GenesisAccount};
    use openledger_chainspec::ChainSpec;
    use openledger_storage::Database;

    use super::*;

    const ALICE: Address = Address::repeat_byte(1);
    const BOB: Address = Address::repeat_byte(2);

    #[derive(Debug)]
    struct Everyone(B256);

    impl KnownStorageRoots for Everyone {
        fn storage_root(&self, _: Address) -> Option<B256> {
            Some(self.0)
        }
    }

    #[test]
    fn roots_are_confirmed_where_each_was_read_and_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let mut genesis = Genesis::default();
        genesis.config.chain_id = 1;
        genesis.gas_limit = 30_000_000;
        genesis.alloc.insert(ALICE, GenesisAccount { balance: U256::ONE, ..Default::default() });
        let spec = Arc::new(ChainSpec::from_genesis(genesis).unwrap());
        let view = Database::open(folder.path(), spec).unwrap().state().unwrap();
        let empty = openledger_trie::EMPTY_ROOT_HASH;
        let case = |named: B256, asked: &[Address]| {
            let (known, read) = (Everyone(named), RootsRead::new(&view));
            let roots = NamedRoots::new(&known);
            assert!(read.basic_ref(ALICE).unwrap().is_some() && read.basic_ref(BOB).unwrap().is_none());
            assert!(asked.iter().all(|address| roots.storage_root(*address) == Some(named)));
            roots.are_confirmed_by(read)
        };
        assert!(case(empty, &[]));
        assert!(case(empty, &[ALICE]));
        assert!(!case(B256::repeat_byte(9), &[ALICE]));
        assert!(!case(empty, &[ALICE, BOB]), "nobody has read this account");
    }
}
