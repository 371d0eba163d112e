//! The three precompiles in a real EVM, with transactions that are committed one after the other.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use crate::world::*;
use alloy_evm::eth::EthEvmFactory;
use alloy_evm::{Evm, EvmEnv, EvmFactory};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::SolCall;
use openledger_abi::IAttribution::*;
use openledger_abi::IDatanets::*;
use openledger_abi::IPayouts;
use openledger_precompiles::{CODE, Precompile, genesis_storage, install};
use revm::context::result::{ExecutionResult, ResultAndState};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::cfg::GasParams;
use revm::database::{CacheDB, EmptyDB};
use revm::primitives::hardfork::SpecId;
use revm::state::{AccountInfo, Bytecode};
use revm::{Database, DatabaseCommit};

/// A chain of committed transactions, each at gas price zero, so that balances change by calls alone.
#[derive(Clone, Debug)]
pub struct Chain {
    pub db: CacheDB<EmptyDB>,
    pub number: u64,
    pub time: u64,
}

impl Chain {
    pub fn new() -> Self {
        let mut db = CacheDB::new(EmptyDB::default());
        for (address, storage) in genesis_storage(&parameters()) {
            let code = Bytecode::new_raw(Bytes::from_static(&CODE));
            db.insert_account_info(address, AccountInfo::default().with_nonce(1).with_code(code));
            for (slot, value) in storage {
                db.insert_account_storage(address, slot.into(), value.into()).unwrap();
            }
        }
        for account in [CURATOR, ALICE, BOB, MODELLER, PAYER] {
            db.insert_account_info(account, AccountInfo::default().with_balance(U256::from(RICH)));
        }
        Self { db, number: 100, time: 10_000 }
    }

    /// A contract at `address`.
    pub fn deploy(&mut self, address: Address, code: Vec<u8>) {
        let code = Bytecode::new_raw(code.into());
        self.db.insert_account_info(address, AccountInfo::default().with_nonce(1).with_code(code));
    }

    /// Runs a transaction without committing it.
    pub fn simulate(&self, from: Address, to: Address, value: u128, gas: u64, data: &[u8]) -> ResultAndState {
        let mut cfg = CfgEnv::new_with_spec(SpecId::PRAGUE);
        (cfg.chain_id, cfg.disable_nonce_check) = (CHAIN, true);
        let block = BlockEnv {
            number: U256::from(self.number),
            timestamp: U256::from(self.time),
            gas_limit: u64::MAX,
            ..BlockEnv::default()
        };
        let mut evm = EthEvmFactory::default().create_evm(self.db.clone(), EvmEnv::new(cfg, block));
        install(evm.precompiles_mut(), &GasParams::new_spec(SpecId::PRAGUE));
        let tx = TxEnv {
            caller: from,
            kind: TxKind::Call(to),
            value: U256::from(value),
            gas_limit: gas,
            data: Bytes::copy_from_slice(data),
            chain_id: Some(CHAIN),
            ..TxEnv::default()
        };
        evm.transact_raw(tx).unwrap()
    }

    /// Runs and commits a transaction, whether it succeeds or not.
    pub fn transact(
        &mut self,
        from: Address,
        to: Address,
        value: u128,
        gas: u64,
        data: &[u8],
    ) -> ExecutionResult {
        let ResultAndState { result, state } = self.simulate(from, to, value, gas, data);
        self.db.commit(state);
        result
    }

    /// A call that must succeed.
    #[track_caller]
    pub fn call<C: SolCall>(&mut self, from: Address, value: u128, call: &C) -> C::Return {
        let result = self.transact(from, of::<C>().address(), value, 16_000_000, &call.abi_encode());
        assert!(result.is_success(), "{result:?}");
        C::abi_decode_returns_validate(result.output().unwrap()).unwrap()
    }

    pub fn balance(&mut self, account: Address) -> U256 {
        self.db.basic(account).unwrap().unwrap_or_default().balance
    }

    pub fn credit(&mut self, account: Address) -> U256 {
        self.call(account, 0, &IPayouts::creditOfCall { account })
    }

    /// Two Datanets of Alice's and Bob's rows, a model on both, a bond.
    pub fn with_model() -> Self {
        let mut chain = Self::new();
        for (datanet, owner, rows) in [(1u64, ALICE, 10), (2, BOB, 20)] {
            let create = createDatanetCall {
                schemaHash: B256::repeat_byte(9),
                domain: "law".into(),
                metadataURI: String::new(),
            };
            assert_eq!(chain.call(CURATOR, 0, &create), datanet);
            let root = B256::repeat_byte(0x50);
            let commitment =
                openledger_shares::contribution_commitment(CHAIN, datanet, owner, root, B256::ZERO);
            chain.call(owner, 1_000, &commitCall { commitment });
            chain.number += 1;
            let reveal = revealCall { datanet, root, salt: B256::ZERO, rows, licence: 3, expiry: 0 };
            let contribution = chain.call(owner, 0, &reveal);
            let publish = publishVersionCall {
                datanet,
                contributions: vec![contribution],
                clusterRoot: B256::repeat_byte(7),
                clusters: rows,
            };
            chain.call(CURATOR, 0, &publish);
        }
        chain.call(MODELLER, 0, &registerModelCall { spec: spec() });
        chain.call(MODELLER, 1_000_000_000, &bondCall {});
        chain
    }

    pub fn request(&mut self, salt: u8) -> B256 {
        let deadline = self.time + 600;
        let call = IPayouts::requestCall { model: 1, promptHash: B256::repeat_byte(salt), deadline };
        self.call(PAYER, 1_000_000, &call)
    }
}

/// How many slots of the precompile the transaction changed.
pub fn changed(result: &ResultAndState, precompile: Precompile) -> usize {
    let account = result.state.get(&precompile.address());
    account.map_or(0, |account| account.storage.values().filter(|slot| slot.is_changed()).count())
}

/// A transaction that failed changed nothing: no slot, no log, no balance of a precompile or of anyone it could pay.
#[track_caller]
pub fn unchanged(chain: &mut Chain, result: &ResultAndState) {
    assert!(!result.result.is_success(), "{:?}", result.result);
    assert!(result.result.logs().is_empty());
    for precompile in Precompile::ALL {
        assert_eq!(changed(result, precompile), 0, "{precompile:?}");
    }
    for (address, account) in &result.state {
        assert_eq!(account.info.balance, chain.balance(*address), "{address}");
    }
}

/// An answer that eight clusters shaped.
pub fn eight(request: B256) -> Receipt {
    let shares = (0..8u32).map(|n| share(1 + u64::from(n / 4), n % 4, 111_111)).collect();
    receipt(request, 1_000_000 - 8 * 111_111, shares)
}
