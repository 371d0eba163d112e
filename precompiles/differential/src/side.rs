//! One of the two worlds: an EVM over a state in memory, in which every call is a transaction that is committed.

use crate::Step;
use crate::world::{CHAIN, FIRST_BLOCK, FIRST_SECOND};
use alloy_evm::eth::{EthEvm, EthEvmFactory};
use alloy_evm::precompiles::PrecompilesMap;
use alloy_evm::{Evm, EvmEnv, EvmError, EvmFactory};
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256};
use openledger_precompiles::install;
use revm::context::result::{ExecutionResult, HaltReason};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::cfg::GasParams;
use revm::database::{CacheDB, EmptyDB};
use revm::inspector::NoOpInspector;
use revm::primitives::hardfork::SpecId;
use revm::{Database, DatabaseCommit};
use std::collections::BTreeMap;
use std::fmt;

/// State in memory.
pub type Memory = CacheDB<EmptyDB>;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this return data.
    Success(Bytes),
    /// With this error data.
    Revert(Bytes),
    /// In another way, such as an invalid instruction.
    Halt(String),
    /// Before it began: its sender cannot pay the value.
    Invalid,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How the call ended.
    pub ending: Ending,
    /// The logs it left.
    pub logs: Vec<Log>,
    /// The new values of the slots it changed.
    pub slots: BTreeMap<(Address, U256), U256>,
    /// The balances of the accounts it touched.
    pub balances: BTreeMap<Address, U256>,
    /// Gas it took.
    pub gas: u64,
}

impl Outcome {
    fn invalid() -> Self {
        let (slots, balances) = (BTreeMap::new(), BTreeMap::new());
        Self { ending: Ending::Invalid, logs: Vec::new(), slots, balances, gas: 0 }
    }

    /// What a call that succeeded returned.
    pub fn output(&self) -> Option<&Bytes> {
        match &self.ending {
            Ending::Success(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// One of the two worlds.
pub struct Side {
    evm: EthEvm<Memory, NoOpInspector, PrecompilesMap>,
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").finish_non_exhaustive()
    }
}

impl Side {
    /// A world that starts with `state`, with the precompiles or without.
    pub fn new(state: Memory, precompiles: bool) -> Self {
        let mut cfg = CfgEnv::new_with_spec(SpecId::PRAGUE);
        (cfg.chain_id, cfg.disable_nonce_check, cfg.disable_eip3607) = (CHAIN, true, true);
        let block = BlockEnv {
            number: U256::from(FIRST_BLOCK),
            timestamp: U256::from(FIRST_SECOND),
            gas_limit: u64::MAX,
            ..BlockEnv::default()
        };
        let mut evm = EthEvmFactory::default().create_evm(state, EvmEnv::new(cfg, block));
        if precompiles {
            install(evm.precompiles_mut(), &GasParams::new_spec(SpecId::PRAGUE));
        }
        Self { evm }
    }

    /// The code that a contract's creation leaves; empty where it fails. Keeps nothing of it.
    pub fn create(&mut self, code: Vec<u8>) -> Vec<u8> {
        let tx = TxEnv {
            kind: TxKind::Create,
            gas_limit: 1 << 32,
            data: code.into(),
            chain_id: Some(CHAIN),
            ..TxEnv::default()
        };
        match self.evm.transact_raw(tx).map(|run| run.result) {
            Ok(ExecutionResult::Success { output, .. }) => output.into_data().to_vec(),
            _ => Vec::new(),
        }
    }

    /// Seconds since 1970 at the current block.
    pub fn now(&self) -> u64 {
        self.evm.block().timestamp.saturating_to()
    }

    /// The current block's number.
    pub fn block(&self) -> u64 {
        self.evm.block().number.saturating_to()
    }

    /// An account's wei.
    pub fn balance(&mut self, account: Address) -> U256 {
        self.evm.db_mut().basic(account).ok().flatten().unwrap_or_default().balance
    }

    /// A slot's value.
    pub fn slot(&mut self, account: Address, slot: U256) -> U256 {
        self.evm.db_mut().storage(account, slot).unwrap_or_default()
    }

    /// All slots of an account that were ever written or read, without zeros.
    pub fn storage(&self, account: Address) -> BTreeMap<B256, U256> {
        let account = self.evm.db().cache.accounts.get(&account);
        let slots = account.into_iter().flat_map(|account| account.storage.iter());
        slots.filter(|(_, value)| !value.is_zero()).map(|(slot, value)| ((*slot).into(), *value)).collect()
    }

    /// Lets time pass and runs the step's call.
    ///
    /// # Errors
    ///
    /// A precompile said that the chain is broken.
    pub fn step(&mut self, step: &Step) -> Result<Outcome, String> {
        self.pass(step.blocks, step.seconds);
        self.call(step, true)
    }

    /// Runs the step's call and keeps nothing of it.
    ///
    /// # Errors
    ///
    /// As for [`Side::step`].
    pub fn look(&mut self, step: &Step) -> Result<Outcome, String> {
        self.call(step, false)
    }

    fn pass(&mut self, blocks: u64, seconds: u64) {
        let block = &mut self.evm.ctx_mut().block;
        block.number = block.number.saturating_add(U256::from(blocks));
        block.timestamp = block.timestamp.saturating_add(U256::from(seconds));
    }

    fn call(&mut self, step: &Step, commit: bool) -> Result<Outcome, String> {
        let tx = TxEnv {
            caller: step.from,
            kind: TxKind::Call(step.to),
            value: step.value,
            gas_limit: 1 << 40,
            data: step.data.clone(),
            chain_id: Some(CHAIN),
            ..TxEnv::default()
        };
        let run = match self.evm.transact_raw(tx) {
            Ok(run) => run,
            Err(error) if error.is_invalid_tx_err() => return Ok(Outcome::invalid()),
            Err(error) => return Err(error.to_string()),
        };
        let gas = run.result.tx_gas_used();
        let (ending, logs) = match run.result {
            ExecutionResult::Success { output, logs, .. } => (Ending::Success(output.into_data()), logs),
            ExecutionResult::Revert { output, .. } => (Ending::Revert(output), Vec::new()),
            ExecutionResult::Halt { reason, .. } => (Ending::Halt(halt(&reason)), Vec::new()),
        };
        let (mut slots, mut balances) = (BTreeMap::new(), BTreeMap::new());
        for (address, account) in &run.state {
            balances.insert(*address, account.info.balance);
            let changed = account.storage.iter().filter(|(_, slot)| slot.is_changed());
            slots.extend(changed.map(|(slot, value)| ((*address, *slot), value.present_value())));
        }
        if commit {
            self.evm.db_mut().commit(run.state);
        }
        Ok(Outcome { ending, logs, slots, balances, gas })
    }
}

fn halt(reason: &HaltReason) -> String {
    format!("{reason:?}")
}
