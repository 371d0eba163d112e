//! `conformance state`: single transactions, executed on the database's state and trie.
//!
//! All cases of a file share one database: a case's accounts are laid over its empty genesis as a block that is
//! not stored, and the transaction as one on top of that.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use alloy_consensus::{Header, TxReceipt, transaction::SignerRecoverable};
use alloy_eips::{BlockNumHash, Decodable2718};
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use eyre::{OptionExt, Result, WrapErr, bail, ensure};
use openledger_chainspec::ChainSpec;
use openledger_evm::{ExecutedBlock, ExecutionError, execute_transaction};
use openledger_primitives::OpenTxEnvelope;
use openledger_storage::{Database, StateView};
use revm::{bytecode::Bytecode, database::BundleState, state::AccountInfo};
use serde::Deserialize;

use crate::{
    Case,
    chain::temporary_folder,
    fixture::{Accounts, FixtureConfig, allocation},
};

#[derive(Debug, Deserialize)]
struct StateTest {
    env: Environment,
    pre: Accounts,
    #[serde(default)]
    config: FixtureConfig,
    post: BTreeMap<String, Vec<Post>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Environment {
    current_coinbase: Address,
    current_gas_limit: U256,
    current_number: U64,
    current_timestamp: U64,
    #[serde(default)]
    current_difficulty: U256,
    current_base_fee: Option<U64>,
    current_random: Option<B256>,
    current_excess_blob_gas: Option<U64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Post {
    hash: B256,
    logs: B256,
    txbytes: Option<Bytes>,
    expect_exception: Option<String>,
}

/// Runs every case of the file, one for each post-state of each fork.
pub fn run_state(file: &Path) -> Result<Vec<Case>> {
    let tests: BTreeMap<String, StateTest> = serde_json::from_slice(&fs::read(file)?)?;
    let folder = temporary_folder()?;
    let empty: Genesis = serde_json::from_str(EMPTY_GENESIS)?;
    let database = Database::open(folder.path(), Arc::new(ChainSpec::from_genesis(empty)?))?;
    let mut cases = Vec::new();
    for (name, test) in &tests {
        let state = state_before(&database, &test.pre);
        for (fork, posts) in &test.post {
            for (index, post) in posts.iter().enumerate() {
                let name = format!("{name} {fork} {index}");
                let result = match &state {
                    Ok(state) => run(state, test, fork, post),
                    Err(error) => Err(eyre::eyre!("accounts before: {error:#}")),
                };
                cases.push(Case::new(file, &name, result));
            }
        }
    }
    Ok(cases)
}

/// A chain without accounts, to lay states over.
const EMPTY_GENESIS: &str =
    r#"{"config": {"chainId": 1}, "gasLimit": "0x1", "difficulty": "0x0", "alloc": {}}"#;

/// The case's accounts over the database's empty state.
fn state_before(database: &Database, pre: &Accounts) -> Result<StateView> {
    let mut bundle = BundleState::builder(0..=0);
    for (address, account) in pre {
        let code = Bytecode::new_raw_checked(account.code.clone())?;
        let info = AccountInfo::new(account.balance, account.nonce.saturating_to(), code.hash_slow(), code);
        let set = account.storage.iter().filter(|(_, value)| !value.is_zero());
        let storage = set.map(|(slot, value)| (*slot, (U256::ZERO, *value))).collect();
        bundle = bundle.state_present_account_info(*address, info).state_storage(*address, storage);
    }
    let mut bundle = bundle.build();
    for account in pre.values() {
        let code = Bytecode::new_raw_checked(account.code.clone())?;
        bundle.contracts.insert(code.hash_slow(), code);
    }
    let empty = database.state()?;
    let update = empty.update(&bundle)?;
    Ok(empty.after(BlockNumHash::new(1, B256::with_last_byte(1)), &update)?)
}

fn run(state: &StateView, test: &StateTest, fork: &str, post: &Post) -> Result<()> {
    let spec = spec_of(test, fork)?;
    let executed = match (execute(&spec, state, test, post), &post.expect_exception) {
        (Ok(_), Some(exception)) => bail!("the transaction is accepted, must fail with {exception}"),
        (Ok(executed), None) => Some(executed),
        (Err(error), None) => return Err(error),
        (Err(error), Some(_)) => match error.downcast_ref::<ExecutionError>() {
            Some(error) if !error.is_invalid_block() => bail!("{error}"),
            _ => None,
        },
    };
    let logs = executed.as_ref().and_then(|executed| executed.receipts.first()).map(TxReceipt::logs);
    let found = keccak256(alloy_rlp::encode(logs.unwrap_or_default().to_vec()));
    ensure!(found == post.logs, "the logs' hash is {found}, must be {}", post.logs);
    let found = match &executed {
        Some(executed) => state.update(&executed.bundle)?.state_root(),
        None => state.state_root(),
    };
    ensure!(found == post.hash, "the state root is {found}, must be {}", post.hash);
    Ok(())
}

fn execute(spec: &ChainSpec, state: &StateView, test: &StateTest, post: &Post) -> Result<ExecutedBlock> {
    let bytes = post.txbytes.as_ref().ok_or_eyre("the case lacks txbytes")?;
    let tx = OpenTxEnvelope::decode_2718_exact(bytes).wrap_err("it is not a transaction")?;
    let sender = tx.recover_signer().wrap_err("its signature is not valid")?;
    Ok(execute_transaction(spec, state, &header_of(&test.env), &tx, sender)?)
}

fn header_of(env: &Environment) -> Header {
    Header {
        beneficiary: env.current_coinbase,
        gas_limit: env.current_gas_limit.saturating_to(),
        number: env.current_number.to(),
        timestamp: env.current_timestamp.to(),
        difficulty: if env.current_random.is_some() { U256::ZERO } else { env.current_difficulty },
        mix_hash: env.current_random.unwrap_or_default(),
        base_fee_per_gas: env.current_base_fee.map(|fee| fee.to()),
        excess_blob_gas: env.current_excess_blob_gas.map(|gas| gas.to()),
        ..Header::default()
    }
}

fn spec_of(test: &StateTest, fork: &str) -> Result<ChainSpec> {
    let config = test.config.chain_config(fork)?;
    let alloc = allocation(&test.pre);
    Ok(ChainSpec::from_genesis(Genesis { config, gas_limit: 1, alloc, ..Default::default() })?)
}
