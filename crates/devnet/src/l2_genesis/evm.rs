//! A small EVM in which genesis is computed by running constructors and initializers, rather than
//! by writing down storage slots and immutables by hand.

use std::collections::{BTreeMap, BTreeSet};

use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address};
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{
        TxEnv,
        result::{ExecutionResult, Output},
    },
    database::InMemoryDB,
    primitives::hardfork::SpecId,
    state::AccountInfo,
};

use crate::DevnetError;

/// Runs constructors; is not part of genesis.
const SCRATCH: Address = address!("00000000000000000000000000000000005c4a7c");
const GAS: u64 = 30_000_000;

/// Accounts under construction.
pub(super) struct GenesisEvm {
    db: InMemoryDB,
    chain_id: u64,
    timestamp: u64,
    accounts: BTreeSet<Address>,
}

/// What a constructor leaves behind.
pub(super) struct Constructed {
    pub(super) code: Bytes,
    pub(super) storage: BTreeMap<B256, B256>,
}

impl GenesisEvm {
    pub(super) fn new(chain_id: u64, timestamp: u64) -> Self {
        Self { db: InMemoryDB::default(), chain_id, timestamp, accounts: BTreeSet::new() }
    }

    /// Places a contract; with nonce 1, as creation would.
    pub(super) fn put(
        &mut self,
        address: Address,
        code: Bytes,
        storage: impl IntoIterator<Item = (B256, B256)>,
    ) {
        let code = Bytecode::new_legacy(code);
        let info = AccountInfo { nonce: 1, ..AccountInfo::from_bytecode(code) };
        self.db.insert_account_info(address, info);
        self.accounts.insert(address);
        for (slot, value) in storage {
            self.set_slot(address, slot, value);
        }
    }

    /// Places an account without code.
    pub(super) fn put_nonce(&mut self, address: Address, nonce: u64) {
        self.db.insert_account_info(address, AccountInfo { nonce, ..Default::default() });
        self.accounts.insert(address);
    }

    /// Writes one storage slot of an account that is there.
    pub(super) fn set_slot(&mut self, address: Address, slot: B256, value: B256) {
        let account = self.db.cache.accounts.entry(address).or_default();
        account.storage.insert(slot.into(), value.into());
    }

    /// Runs constructor code and returns what it leaves.
    pub(super) fn construct(&mut self, what: &str, init_code: Bytes) -> Result<Constructed, DevnetError> {
        let fail = |reason: String| DevnetError::Genesis { what: what.to_owned(), reason };
        let result = self.run(SCRATCH, TxKind::Create, init_code).map_err(fail)?;
        let ExecutionResult::Success { output: Output::Create(_, Some(address)), .. } = result else {
            return Err(fail(format!("its constructor failed: {result:?}")));
        };
        let account = self.account(address);
        self.db.cache.accounts.remove(&address);
        Ok(Constructed {
            code: account.code.unwrap_or_default(),
            storage: account.storage.unwrap_or_default(),
        })
    }

    /// Calls a contract as `from`, keeps what it changes and returns its output.
    pub(super) fn call(
        &mut self,
        what: &str,
        from: Address,
        to: Address,
        data: Bytes,
    ) -> Result<Bytes, DevnetError> {
        let fail = |reason: String| DevnetError::Genesis { what: what.to_owned(), reason };
        match self.run(from, TxKind::Call(to), data).map_err(fail)? {
            ExecutionResult::Success { output, .. } => Ok(output.into_data()),
            failed => Err(fail(format!("{failed:?}"))),
        }
    }

    fn run(&mut self, from: Address, kind: TxKind, data: Bytes) -> Result<ExecutionResult, String> {
        let transaction = TxEnv::builder()
            .caller(from)
            .kind(kind)
            .data(data)
            .gas_limit(GAS)
            .chain_id(Some(self.chain_id))
            .build()
            .map_err(|error| format!("{error:?}"))?;
        let (chain_id, timestamp) = (self.chain_id, self.timestamp);
        let mut evm = Context::mainnet()
            .with_db(&mut self.db)
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::PRAGUE);
                cfg.chain_id = chain_id;
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|block| block.timestamp = U256::from(timestamp))
            .build_mainnet();
        evm.transact_commit(transaction).map_err(|error| error.to_string())
    }

    fn account(&self, address: Address) -> GenesisAccount {
        let Some(account) = self.db.cache.accounts.get(&address) else {
            return GenesisAccount::default();
        };
        let code = self
            .db
            .cache
            .contracts
            .get(&account.info.code_hash)
            .map(Bytecode::original_bytes)
            .filter(|code| !code.is_empty());
        let storage: BTreeMap<B256, B256> = account
            .storage
            .iter()
            .filter(|(_, value)| !value.is_zero())
            .map(|(slot, value)| (B256::from(*slot), B256::from(*value)))
            .collect();
        GenesisAccount {
            nonce: Some(account.info.nonce),
            balance: account.info.balance,
            code,
            storage: (!storage.is_empty()).then_some(storage),
            ..Default::default()
        }
    }

    /// The accounts that were placed, as they are now.
    pub(super) fn into_alloc(self) -> BTreeMap<Address, GenesisAccount> {
        self.accounts.iter().map(|&address| (address, self.account(address))).collect()
    }
}

#[cfg(test)]
impl GenesisEvm {
    /// An EVM on a finished genesis.
    pub(super) fn on(genesis: &alloy_genesis::Genesis) -> Self {
        let mut evm = Self::new(genesis.config.chain_id, genesis.timestamp);
        for (&address, account) in &genesis.alloc {
            let storage = account.storage.clone().unwrap_or_default();
            evm.put(address, account.code.clone().unwrap_or_default(), storage);
        }
        evm
    }

    /// The code at an address.
    pub(super) fn code(&self, address: Address) -> Bytes {
        self.account(address).code.unwrap_or_default()
    }
}
