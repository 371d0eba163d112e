//! Creations at an address that the genesis gave storage but neither code nor nonce (EIP-7610).
#![allow(clippy::unwrap_used)]

use alloy_consensus::{Header, SignableTransaction, TxLegacy, TxReceipt};
use alloy_primitives::{Address, Bytes, TxKind, U256, address, bytes};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use openledger_chainspec::ChainSpec;
use openledger_evm::{ExecutedBlock, execute_transaction};
use openledger_primitives::OpenTxEnvelope;
use revm::{
    bytecode::Bytecode,
    database::{CacheDB, EmptyDB},
    state::AccountInfo,
};

/// Creates a contract of no code with the value it is called with, and stores the address it gets at slot 1:
/// PUSH0 PUSH0 CALLVALUE CREATE PUSH1 1 SSTORE.
const FACTORY: Address = address!("0x00000000000000000000000000000000000fac70");
const FACTORY_CODE: Bytes = bytes!("5f5f34f0600155");
/// A failed creation takes all but a 64th of it, which must do for what comes after.
const GAS_LIMIT: u64 = 5_000_000;

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&[7; 32].into()).unwrap()
}

/// A chain with all Ethereum forks up to Shanghai, where `taken` has storage alone.
fn chain(taken: &[Address]) -> (ChainSpec, CacheDB<EmptyDB>) {
    let account =
        serde_json::json!({"balance": "0x0", "storage": {format!("{:#066x}", 1): format!("{:#066x}", 2)}});
    let alloc: serde_json::Map<String, serde_json::Value> =
        taken.iter().map(|address| (address.to_string(), account.clone())).collect();
    let genesis = serde_json::json!({
        "config": {
            "chainId": 1, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0,
            "byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0,
            "berlinBlock": 0, "londonBlock": 0, "terminalTotalDifficulty": "0x0", "shanghaiTime": 0
        },
        "gasLimit": "0x1c9c380", "difficulty": "0x0", "baseFeePerGas": "0x7", "alloc": alloc
    });
    let mut state = CacheDB::new(EmptyDB::default());
    state.insert_account_info(signer().address(), AccountInfo::from_balance(U256::from(1u64 << 60)));
    state.insert_account_info(FACTORY, AccountInfo::default().with_code(Bytecode::new_raw(FACTORY_CODE)));
    for address in taken {
        state.insert_account_storage(*address, U256::ONE, U256::from(2)).unwrap();
    }
    (ChainSpec::from_json(&genesis.to_string()).unwrap(), state)
}

fn run(taken: &[Address], to: TxKind, value: u64) -> ExecutedBlock {
    let (spec, state) = chain(taken);
    let tx = TxLegacy {
        chain_id: Some(1),
        gas_price: 10,
        gas_limit: GAS_LIMIT,
        to,
        value: U256::from(value),
        ..Default::default()
    };
    let signature = signer().sign_hash_sync(&tx.signature_hash()).unwrap();
    let tx = OpenTxEnvelope::from(tx.into_signed(signature));
    let header = Header { number: 1, gas_limit: 30_000_000, base_fee_per_gas: Some(7), ..Default::default() };
    execute_transaction(&spec, state, &header, &tx, signer().address()).unwrap()
}

#[test]
fn a_transaction_that_creates_over_storage_fails_with_all_its_gas() {
    let target = signer().address().create(0);
    assert!(run(&[], TxKind::Create, 0).receipts[0].status());
    let executed = run(&[target], TxKind::Create, 0);
    assert!(!executed.receipts[0].status());
    assert_eq!(executed.gas_used, GAS_LIMIT);
    let sender = executed.bundle.account(&signer().address()).unwrap();
    assert_eq!(sender.info.as_ref().unwrap().nonce, 1);
    assert!(executed.bundle.account(&target).is_none_or(|account| !account.is_info_changed()));
}

#[test]
fn a_contract_that_creates_over_storage_gets_zero_keeps_its_value_and_counts_its_nonce() {
    let target = FACTORY.create(0);
    for (taken, created) in [(vec![], U256::from_be_slice(target.as_slice())), (vec![target], U256::ZERO)] {
        let executed = run(&taken, TxKind::Call(FACTORY), 5);
        assert!(executed.receipts[0].status());
        let factory = executed.bundle.account(&FACTORY).unwrap();
        let result = factory.storage.get(&U256::ONE).map(|slot| slot.present_value).unwrap_or_default();
        assert_eq!(result, created);
        let info = factory.info.as_ref().unwrap();
        assert_eq!(info.nonce, 1);
        assert_eq!(info.balance, U256::from(if taken.is_empty() { 0 } else { 5 }));
    }
}
