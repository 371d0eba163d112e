//! The chain that everything is measured on: funded accounts, an ERC-20 in which all have a balance, and a contract
//! that computes.

use std::{collections::BTreeMap, sync::Arc};

use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, hex, keccak256};
use alloy_sol_types::SolValue;
use eyre::{OptionExt, Result, ensure};
use openledger_abi::{ATTRIBUTION, DATANETS, PAYOUTS};
use openledger_chainspec::ChainSpec;
use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext,
    context::TxEnv,
    database::{CacheDB, EmptyDB},
};

pub(crate) const CHAIN_ID: u64 = 5_151;
/// Gas of a full block.
pub(crate) const BLOCK_GAS: u64 = 30_000_000;
/// Time of the genesis block, in seconds.
pub(crate) const START: u64 = 0x6500_0000;
/// The contract of [`compute_code`].
pub(crate) const COMPUTE: Address = address!("0x00000000000000000000000000000000c0117e00");

/// So large that the base fee stays where it is, however many full blocks follow each other.
const BASE_FEE_DENOMINATOR: u32 = 1_000_000;
const DEPLOYER: Address = address!("0x00000000000000000000000000000000de910e00");
const BALANCE_WEI: u128 = 1_000_000_000_000_000_000_000_000;

/// A chain and the ERC-20 on it.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) token: Address,
}

/// A chain on which `accounts` have the native token and the ERC-20.
pub(crate) fn chain(accounts: &[Address]) -> Result<Chain> {
    let json = serde_json::json!({
        "config": { "chainId": CHAIN_ID, "openledger": {}, "optimism": {
            "eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": BASE_FEE_DENOMINATOR
        } },
        "timestamp": format!("{START:#x}"), "gasLimit": format!("{BLOCK_GAS:#x}"), "difficulty": "0x0",
        "alloc": {}, "nonce": "0x0", "extraData": "0x", "mixHash": B256::ZERO,
        "coinbase": Address::ZERO, "baseFeePerGas": "0x3b9aca00"
    });
    let mut genesis: Genesis = serde_json::from_value(json)?;
    let funded = GenesisAccount { balance: U256::from(BALANCE_WEI), ..Default::default() };
    genesis.alloc = accounts.iter().map(|account| (*account, funded.clone())).collect();
    for precompile in [DATANETS, ATTRIBUTION, PAYOUTS] {
        let code = Some(Bytes::from_static(&[0xef]));
        genesis.alloc.insert(precompile, GenesisAccount { nonce: Some(1), code, ..Default::default() });
    }
    let code = Some(compute_code());
    genesis.alloc.insert(COMPUTE, GenesisAccount { nonce: Some(1), code, ..Default::default() });
    let (token, account) = token(accounts)?;
    genesis.alloc.insert(token, account);
    Ok(Chain { spec: Arc::new(ChainSpec::from_genesis(genesis)?), token })
}

/// OpenToken as its constructor leaves it, with a balance for everyone.
fn token(holders: &[Address]) -> Result<(Address, GenesisAccount)> {
    let artifact: serde_json::Value =
        serde_json::from_str(include_str!("../../../contracts/artifacts/OpenToken.json"))?;
    let code = artifact["bytecode"].as_str().ok_or_eyre("OpenToken.json has no bytecode")?;
    let arguments = (DEPLOYER, U256::ZERO).abi_encode_params();
    let data = [hex::decode(code)?, arguments].concat().into();
    let creation =
        TxEnv { caller: DEPLOYER, kind: TxKind::Create, gas_limit: 10_000_000, data, ..Default::default() };
    let mut evm = Context::mainnet().with_db(CacheDB::new(EmptyDB::new())).build_mainnet();
    let done = evm.transact(creation)?;
    ensure!(done.result.is_success(), "OpenToken's constructor fails: {:?}", done.result);
    let address = done.result.created_address().ok_or_eyre("OpenToken was not created")?;
    let created = done.state.get(&address).ok_or_eyre("OpenToken has no state")?;
    let code = created.info.code.as_ref().ok_or_eyre("OpenToken has no code")?.original_bytes();
    let slots = created.storage.iter().filter(|(_, slot)| !slot.present_value.is_zero());
    let mut storage: BTreeMap<B256, B256> =
        slots.map(|(key, slot)| (B256::from(*key), B256::from(slot.present_value))).collect();
    let balance = B256::from(U256::from(BALANCE_WEI));
    storage.extend(holders.iter().map(|holder| (balance_slot(*holder), balance)));
    let account =
        GenesisAccount { nonce: Some(1), code: Some(code), storage: Some(storage), ..Default::default() };
    Ok((address, account))
}

/// OpenZeppelin's ERC-20 keeps balances in the mapping at slot 0.
fn balance_slot(holder: Address) -> B256 {
    keccak256((holder, U256::ZERO).abi_encode())
}

/// Hashes and multiplies as many times as the first word of the input says:
/// `do { x = keccak256(x); y = y * n + n; } while (--n > 0)`.
fn compute_code() -> Bytes {
    Bytes::from_static(&[
        0x5f, 0x5f, 0x35, // y = 0, n = calldata[0]
        0x5b, // loop, at 3
        0x60, 0x20, 0x5f, 0x20, 0x5f, 0x52, // mem[0] = keccak256(mem[0..32])
        0x80, 0x91, 0x02, 0x81, 0x01, 0x90, // y = y * n + n
        0x60, 0x01, 0x90, 0x03, // n -= 1
        0x80, 0x60, 0x03, 0x57, // if n > 0, loop
        0x00,
    ])
}
