//! The node's executor over a state in memory.

use std::time::{Duration, Instant};

use alloy_consensus::Header;
use alloy_evm::{Evm, EvmFactory};
use alloy_op_evm::OpTx;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_sol_types::SolCall;
use eyre::{Result, ensure, eyre};
use op_revm::OpTransaction;
use openledger_chainspec::ChainSpec;
use openledger_evm::{OpenEvm, OpenEvmFactory, evm_env};
use openledger_precompiles::{CODE, MemoryBackend, Precompile};
use revm::{
    DatabaseCommit,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    inspector::NoOpInspector,
    state::{AccountInfo, Bytecode, EvmState},
};

use crate::world::CHAIN;

/// A state in memory.
pub(crate) type State = CacheDB<EmptyDB>;

/// Pays for transactions that are not about who sends them.
pub(crate) const SENDER: Address = Address::repeat_byte(0x5e);
/// Gas that a transaction has at most: a block's worth.
pub(crate) const GAS: u64 = 120_000_000;

/// A transaction.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) value: U256,
    pub(crate) data: Bytes,
}

impl Call {
    pub(crate) fn new(from: Address, to: Address, value: u128, call: &impl SolCall) -> Self {
        Self { from, to, value: U256::from(value), data: call.abi_encode().into() }
    }
}

/// What a transaction did.
#[derive(Debug)]
pub(crate) struct Run {
    /// Gas spent before refunds and the floor for calldata.
    pub(crate) spent: u64,
    /// Gas that is paid for.
    pub(crate) used: u64,
    pub(crate) output: Bytes,
    pub(crate) state: EvmState,
}

/// An EVM of the node at one block.
pub(crate) struct Machine {
    evm: OpenEvm<State, NoOpInspector>,
}

impl Machine {
    pub(crate) fn new(state: State, number: u64, timestamp: u64) -> Result<Self> {
        let occupied = Precompile::ALL.map(|precompile| {
            let account = serde_json::json!({ "balance": "0x0", "nonce": "0x1", "code": "0xef" });
            (precompile.address().to_string(), account)
        });
        let genesis = serde_json::json!({
            "config": { "chainId": CHAIN, "openledger": {}, "optimism": {
                "eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250
            } },
            "timestamp": "0x0", "gasLimit": "0x1c9c380", "difficulty": "0x0", "nonce": "0x0", "extraData": "0x",
            "mixHash": alloy_primitives::B256::ZERO, "coinbase": Address::ZERO, "baseFeePerGas": "0x0",
            "alloc": serde_json::Map::from_iter(occupied)
        });
        let spec = ChainSpec::from_json(&genesis.to_string()).map_err(|error| eyre!("{error}"))?;
        let header =
            Header { number, timestamp, gas_limit: GAS, base_fee_per_gas: Some(0), ..Header::default() };
        let mut env = evm_env(&spec, &header);
        (env.cfg_env.disable_nonce_check, env.cfg_env.disable_eip3607) = (true, true);
        Ok(Self { evm: OpenEvmFactory::new(&spec, timestamp).create_evm(state, env) })
    }

    fn transaction(call: &Call) -> OpTx {
        let base = TxEnv {
            caller: call.from,
            kind: TxKind::Call(call.to),
            value: call.value,
            gas_limit: GAS,
            data: call.data.clone(),
            chain_id: Some(CHAIN),
            ..TxEnv::default()
        };
        OpTx(OpTransaction { enveloped_tx: Some(Bytes::from_static(&[2])), ..OpTransaction::new(base) })
    }

    /// Runs a transaction that must succeed, and keeps nothing of it.
    pub(crate) fn run(&mut self, call: &Call) -> Result<Run> {
        let run = self.evm.transact_raw(Self::transaction(call)).map_err(|error| eyre!("{error}"))?;
        let gas = *run.result.gas();
        match run.result {
            ExecutionResult::Success { output, .. } => Ok(Run {
                spent: gas.total_gas_spent(),
                used: gas.tx_gas_used(),
                output: output.into_data(),
                state: run.state,
            }),
            other => Err(eyre!("a call of {} failed: {other:?}", call.to)),
        }
    }

    /// Runs a transaction that must succeed, and keeps what it did.
    pub(crate) fn commit(&mut self, call: &Call) -> Result<Run> {
        let run = self.run(call)?;
        self.evm.db_mut().commit(run.state.clone());
        Ok(run)
    }

    /// How long a transaction takes.
    pub(crate) fn time(&mut self, call: &Call) -> Result<Duration> {
        let transaction = Self::transaction(call);
        let start = Instant::now();
        let run = self.evm.transact_raw(transaction);
        let time = start.elapsed();
        let success = run.as_ref().is_ok_and(|run| run.result.is_success());
        ensure!(success, "a call of {} failed", call.to);
        Ok(time)
    }

    pub(crate) fn state(&self) -> State {
        self.evm.db().clone()
    }
}

/// The state of a world whose precompiles were called in memory.
pub(crate) fn state_of(memory: &MemoryBackend) -> Result<State> {
    let mut state = State::default();
    for (account, wei) in &memory.balances {
        state.insert_account_info(*account, AccountInfo::default().with_balance(*wei));
    }
    for precompile in Precompile::ALL {
        let wei = memory.balances.get(&precompile.address()).copied().unwrap_or_default();
        let code = Bytecode::new_raw(Bytes::from_static(&CODE));
        let info = AccountInfo::default().with_balance(wei).with_nonce(1).with_code(code);
        state.insert_account_info(precompile.address(), info);
    }
    for ((account, slot), value) in &memory.storage {
        state.insert_account_storage(*account, *slot, *value)?;
    }
    state.insert_account_info(SENDER, AccountInfo::default().with_balance(U256::from(u128::MAX)));
    Ok(state)
}

/// Puts a contract at an address, which keeps its wei and has some.
pub(crate) fn set_code(state: &mut State, account: Address, code: Vec<u8>) {
    let mut info = state.cache.accounts.get(&account).map(|known| known.info.clone()).unwrap_or_default();
    info.set_code(Bytecode::new_raw(code.into()));
    (info.nonce, info.balance) = (1, info.balance.max(U256::from(u128::MAX)));
    state.insert_account_info(account, info);
}
