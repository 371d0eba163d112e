//! A case's world in a real EVM, where its caller is a contract that makes the call as it is told.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use crate::cases::Case;
use crate::world::CHAIN;
use alloy_evm::eth::EthEvmFactory;
use alloy_evm::{Evm, EvmEnv, EvmFactory};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use openledger_chainspec::OpenLedgerHardfork;
use openledger_precompiles::{
    Activations, CODE, Failure, MemoryBackend, Precompile, install, install_scheduled,
};
use revm::DatabaseCommit;
use revm::context::result::{ExecutionResult, ResultAndState};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::cfg::GasParams;
use revm::database::{CacheDB, EmptyDB};
use revm::primitives::hardfork::SpecId;
use revm::state::{AccountInfo, Bytecode, EvmState};
use std::collections::BTreeMap;

pub const SENDER: Address = Address::repeat_byte(0x5e);
/// Calls the case's caller and goes on whatever that does.
const CATCHER: Address = Address::repeat_byte(0xca);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Call = 0xf1,
    CallCode = 0xf2,
    DelegateCall = 0xf4,
    StaticCall = 0xfa,
}

pub struct Chain {
    db: CacheDB<EmptyDB>,
    number: u64,
    time: u64,
    never: bool,
}

pub fn intrinsic(data: &[u8]) -> u64 {
    21_000 + data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum::<u64>()
}

pub fn outcome(run: &ResultAndState) -> Result<Bytes, Failure> {
    match &run.result {
        ExecutionResult::Success { output, .. } => Ok(output.data().clone()),
        ExecutionResult::Revert { output, .. } => Err(Failure::Revert(output.clone())),
        ExecutionResult::Halt { .. } => Err(Failure::OutOfGas),
    }
}

impl Chain {
    /// The case's world, with a sender for calls through a contract when `contract` is set.
    pub fn of(case: &Case, contract: bool) -> Self {
        let state = &case.world.state;
        let mut db = CacheDB::new(EmptyDB::default());
        for (account, wei) in &state.balances {
            db.insert_account_info(*account, AccountInfo::default().with_balance(*wei));
        }
        for precompile in Precompile::ALL {
            let wei = state.balances.get(&precompile.address()).copied().unwrap_or_default();
            let code = Bytecode::new_raw(Bytes::from_static(&CODE));
            let info = AccountInfo::default().with_balance(wei).with_nonce(1).with_code(code);
            db.insert_account_info(precompile.address(), info);
        }
        for ((account, slot), value) in &state.storage {
            db.insert_account_storage(*account, *slot, *value).unwrap();
        }
        if contract {
            db.insert_account_info(SENDER, AccountInfo::default().with_balance(U256::from(u128::MAX)));
        }
        Self { db, number: state.number, time: state.time, never: false }
    }

    pub fn schedule_never(&mut self) {
        self.never = true;
    }

    fn run(&mut self, tx: TxEnv) -> ResultAndState {
        let mut cfg = CfgEnv::new_with_spec(SpecId::PRAGUE);
        (cfg.chain_id, cfg.disable_nonce_check) = (CHAIN, true);
        let block = BlockEnv {
            number: U256::from(self.number),
            timestamp: U256::from(self.time),
            gas_limit: u64::MAX,
            ..BlockEnv::default()
        };
        let mut evm = EthEvmFactory::default().create_evm(&mut self.db, EvmEnv::new(cfg, block));
        let params = GasParams::new_spec(SpecId::PRAGUE);
        if self.never {
            let later = Activations::from_iter([(OpenLedgerHardfork::Meridian, self.time + 1)]);
            install_scheduled(evm.precompiles_mut(), &params, &later);
        } else {
            install(evm.precompiles_mut(), &params);
        }
        evm.transact_raw(TxEnv { chain_id: Some(CHAIN), ..tx }).unwrap()
    }

    /// The case as a transaction of its caller.
    pub fn direct(&mut self, case: &Case) -> ResultAndState {
        self.run(TxEnv {
            caller: case.call.caller,
            kind: TxKind::Call(case.to.address()),
            value: case.call.value,
            gas_limit: 16_000_000,
            data: case.data.clone().into(),
            ..TxEnv::default()
        })
    }

    /// Makes an account a contract that has wei of its own.
    pub fn set_code(&mut self, account: Address, code: Vec<u8>) {
        let mut info =
            self.db.cache.accounts.get(&account).map(|account| account.info.clone()).unwrap_or_default();
        info.set_code(Bytecode::new_raw(code.into()));
        (info.nonce, info.balance) = (1, info.balance.max(U256::from(10u64.pow(18))));
        self.db.insert_account_info(account, info);
    }

    /// The case's caller is a contract that calls with `opcode` and `gas` (all it has, when none is given), whatever comes
    /// of it notes that it did, and returns how the call ended.
    pub fn through(
        &mut self,
        case: &Case,
        opcode: Opcode,
        gas: Option<u64>,
        value: u128,
        data: &[u8],
    ) -> (Result<Bytes, Failure>, ResultAndState) {
        let mut code = calling(case.to.address(), opcode, gas, value);
        // [success] → storage[0] = 1; return success ++ returndata.
        code.extend([0x5f, 0x52, 0x60, 1, 0x5f, 0x55]);
        code.extend([0x3d, 0x5f, 0x60, 32, 0x3e, 0x3d, 0x60, 32, 0x01, 0x5f, 0xf3]);
        self.set_code(case.call.caller, code);
        let run = self.outside(case.call.caller, data);
        let ExecutionResult::Success { output, .. } = &run.result else { panic!("{:?}", run.result) };
        let (flag, returned) = output.data().split_at(32);
        let called = if flag[31] == 1 {
            Ok(Bytes::copy_from_slice(returned))
        } else {
            Err(Failure::Revert(Bytes::copy_from_slice(returned)))
        };
        // A halt and a revert without data look alike to a contract; the caller says which it means by the gas it gives.
        let called = match called {
            Err(Failure::Revert(bytes)) if bytes.is_empty() && gas.is_some() => Err(Failure::OutOfGas),
            called => called,
        };
        (called, run)
    }

    /// A contract calls the case's caller, which makes the call and then reverts.
    pub fn caught(&mut self, case: &Case, value: u128) -> ResultAndState {
        let mut inner = calling(case.to.address(), Opcode::Call, None, value);
        // [success] → revert(0, 32) with it in memory.
        inner.extend([0x5f, 0x52, 0x60, 32, 0x5f, 0xfd]);
        self.set_code(case.call.caller, inner);
        let mut outer = calling(case.call.caller, Opcode::Call, None, 0);
        // [success] → storage[0] = 1; return not-success + what the inner one reverted with.
        outer.extend([0x60, 1, 0x5f, 0x55, 0x15, 0x60, 32, 0x5f, 0x5f, 0x3e, 0x5f, 0x51, 0x01, 0x5f, 0x52]);
        outer.extend([0x60, 32, 0x5f, 0xf3]);
        self.set_code(CATCHER, outer);
        self.outside(CATCHER, &case.data)
    }

    fn outside(&mut self, to: Address, data: &[u8]) -> ResultAndState {
        self.look(SENDER, to, data)
    }

    /// A transaction of which nothing is kept.
    pub fn look(&mut self, from: Address, to: Address, data: &[u8]) -> ResultAndState {
        self.run(TxEnv {
            caller: from,
            kind: TxKind::Call(to),
            gas_limit: 60_000_000,
            data: Bytes::copy_from_slice(data),
            ..TxEnv::default()
        })
    }

    /// A transaction that is kept.
    pub fn commit(&mut self, from: Address, to: Address, data: &[u8]) -> ExecutionResult {
        let run = self.look(from, to, data);
        self.db.commit(run.state);
        run.result
    }

    /// Every account's wei and slots, without zeros.
    pub fn kept(&self) -> BTreeMap<Address, (U256, BTreeMap<U256, U256>)> {
        let accounts = self.db.cache.accounts.iter().map(|(address, account)| {
            let slots = account.storage.iter().filter(|(_, value)| !value.is_zero());
            (*address, (account.info.balance, slots.map(|(slot, value)| (*slot, *value)).collect()))
        });
        accounts
            .filter(|(_, (wei, slots)): &(_, (U256, BTreeMap<_, _>))| !wei.is_zero() || !slots.is_empty())
            .collect()
    }

    /// No slot of a precompile, no log, no balance; but the contract's own note.
    #[track_caller]
    pub fn nothing_but_the_caller_changed(&self, name: &str, run: &ResultAndState) {
        assert!(run.result.logs().is_empty(), "{name}");
        let mut noted = 0;
        for (address, account) in &run.state {
            let before = self.db.cache.accounts.get(address).map(|account| account.info.balance);
            assert_eq!(account.info.balance, before.unwrap_or_default(), "{name}: {address}");
            let changed = account.storage.values().filter(|slot| slot.is_changed()).count();
            if Precompile::ALL.iter().any(|precompile| precompile.address() == *address) {
                assert_eq!(changed, 0, "{name}: {address}");
            } else {
                noted += changed;
            }
        }
        assert_eq!(noted, 1, "{name}");
    }
}

/// Code that passes its calldata on and leaves on the stack whether the call succeeded.
fn calling(to: Address, opcode: Opcode, gas: Option<u64>, value: u128) -> Vec<u8> {
    // calldatacopy(0, 0, calldatasize); output 0, 0; input 0, calldatasize.
    let mut code = vec![0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f];
    if matches!(opcode, Opcode::Call | Opcode::CallCode) {
        code.push(0x6f);
        code.extend(value.to_be_bytes());
    }
    code.push(0x73);
    code.extend(to);
    match gas {
        Some(gas) => {
            code.push(0x67);
            code.extend(gas.to_be_bytes());
        }
        None => code.push(0x5a),
    }
    code.push(opcode as u8);
    code
}

/// The EVM changed what memory changed, to the same values.
#[track_caller]
pub fn same_state(name: &str, before: &MemoryBackend, after: &MemoryBackend, evm: &EvmState) {
    let mut changed = 0;
    for (address, account) in evm {
        let wei = after.balances.get(address).copied().unwrap_or_default();
        assert_eq!(account.info.balance, wei, "{name}: {address}");
        for (slot, value) in &account.storage {
            let expected = after.storage.get(&(*address, *slot)).copied().unwrap_or_default();
            assert_eq!(value.present_value(), expected, "{name}: {address} {slot}");
            changed += usize::from(value.is_changed());
        }
    }
    let keys = before.storage.keys().chain(after.storage.keys()).collect::<std::collections::BTreeSet<_>>();
    let differ = keys.into_iter().filter(|key| before.storage.get(*key) != after.storage.get(*key)).count();
    assert_eq!(changed, differ, "{name}");
}
