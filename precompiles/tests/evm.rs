//! The precompiles inside a real EVM, called through contracts.
#![allow(clippy::unwrap_used)]

use alloy_evm::eth::EthEvmFactory;
use alloy_evm::{Evm, EvmEnv, EvmFactory};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use alloy_sol_types::SolCall;
use openledger_abi::DATANETS;
use openledger_abi::IDatanets::*;
use openledger_precompiles::{CODE, Parameters, genesis_storage, install};
use revm::context::result::{ExecutionResult, ResultAndState};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::cfg::GasParams;
use revm::database::{CacheDB, EmptyDB};
use revm::primitives::hardfork::SpecId;
use revm::state::{AccountInfo, Bytecode};

const USER: Address = Address::repeat_byte(0xaa);
const CALLER: Address = Address::repeat_byte(0xcc);

/// A contract that passes its calldata on by `opcode` and ends as the callee did, or reverts whatever it did.
fn forwarder(opcode: u8, with_value: bool, revert: bool) -> Vec<u8> {
    let mut code = hex!("365f5f375f5f365f").to_vec();
    if with_value {
        code.push(0x34);
    }
    code.push(0x73);
    code.extend(DATANETS);
    code.extend([0x5a, opcode]);
    if revert {
        code.extend(hex!("5f5ffd"));
        return code;
    }
    code.extend(hex!("3d5f5f3e15"));
    let target = code.len() as u8 + 6;
    code.extend([0x60, target, 0x57, 0x3d, 0x5f, 0xf3, 0x5b, 0x3d, 0x5f, 0xfd]);
    code
}

fn chain(code: Vec<u8>) -> CacheDB<EmptyDB> {
    let mut db = CacheDB::new(EmptyDB::default());
    let parameters = Parameters {
        commit_deposit: U256::from(5),
        reveal_window: 10,
        challenge_window: 10,
        platform: Address::repeat_byte(1),
        minimum_deadline: 1,
        maximum_deadline: 10,
    };
    for (address, storage) in genesis_storage(&parameters) {
        let code = Bytecode::new_raw(Bytes::from_static(&CODE));
        db.insert_account_info(address, AccountInfo::default().with_nonce(1).with_code(code));
        for (slot, value) in storage {
            db.insert_account_storage(address, slot.into(), value.into()).unwrap();
        }
    }
    db.insert_account_info(USER, AccountInfo::default().with_balance(U256::from(10u64.pow(18))));
    let code = Bytecode::new_raw(code.into());
    db.insert_account_info(CALLER, AccountInfo::default().with_nonce(1).with_code(code));
    db
}

fn transact(code: Vec<u8>, to: Address, value: u64, gas: u64, data: Vec<u8>) -> ResultAndState {
    let mut cfg = CfgEnv::new_with_spec(SpecId::PRAGUE);
    cfg.chain_id = 1;
    let gas_params = GasParams::new_spec(SpecId::PRAGUE);
    let block = BlockEnv { number: U256::from(7), timestamp: U256::from(1_000), ..BlockEnv::default() };
    let mut evm = EthEvmFactory::default().create_evm(chain(code), EvmEnv::new(cfg, block));
    install(evm.precompiles_mut(), &gas_params);
    let tx = TxEnv {
        caller: USER,
        kind: TxKind::Call(to),
        value: U256::from(value),
        gas_limit: gas,
        data: data.into(),
        chain_id: Some(1),
        ..TxEnv::default()
    };
    evm.transact_raw(tx).unwrap()
}

fn create() -> Vec<u8> {
    createDatanetCall { schemaHash: B256::repeat_byte(1), domain: "law".into(), metadataURI: "u".repeat(40) }
        .abi_encode()
}

/// How many of the precompile's slots the transaction changed.
fn changed(result: &ResultAndState) -> usize {
    let account = result.state.get(&DATANETS);
    account.map_or(0, |account| account.storage.values().filter(|slot| slot.is_changed()).count())
}

#[test]
fn call_through_a_contract_makes_the_contract_the_owner() {
    let result = transact(forwarder(0xf1, true, false), CALLER, 0, 3_000_000, create());
    assert!(result.result.is_success(), "{:?}", result.result);
    assert_eq!(result.result.logs().len(), 2);
    assert!(changed(&result) > 5);
    let id = createDatanetCall::abi_decode_returns(result.result.output().unwrap()).unwrap();
    assert_eq!(id, 1);
}

#[test]
fn static_delegate_and_code_calls_change_nothing() {
    for (opcode, with_value) in [(0xfa, false), (0xf4, false), (0xf2, true)] {
        let result = transact(forwarder(opcode, with_value, false), CALLER, 0, 3_000_000, create());
        assert!(matches!(result.result, ExecutionResult::Revert { .. }), "{opcode:x}: {:?}", result.result);
        assert_eq!(changed(&result), 0);
    }
    let view = datanetCountCall {}.abi_encode();
    assert!(transact(forwarder(0xfa, false, false), CALLER, 0, 3_000_000, view).result.is_success());
}

#[test]
fn caller_that_reverts_undoes_the_call() {
    let result = transact(forwarder(0xf1, true, true), CALLER, 0, 3_000_000, create());
    assert!(!result.result.is_success());
    assert_eq!((changed(&result), result.result.logs().len()), (0, 0));
}

#[test]
fn value_goes_to_payable_functions_alone() {
    let commit = commitCall { commitment: B256::repeat_byte(3) }.abi_encode();
    let paid = transact(vec![], DATANETS, 5, 1_000_000, commit.clone());
    assert!(paid.result.is_success(), "{:?}", paid.result);
    assert_eq!(paid.state[&DATANETS].info.balance, U256::from(5));
    for (value, data) in [(4, commit), (1, create())] {
        let refused = transact(vec![], DATANETS, value, 1_000_000, data);
        assert!(matches!(refused.result, ExecutionResult::Revert { .. }));
        assert_eq!((changed(&refused), refused.state[&DATANETS].info.balance), (0, U256::ZERO));
    }
}

#[test]
fn too_little_gas_changes_nothing_wherever_it_runs_out() {
    let enough = transact(vec![], DATANETS, 0, 3_000_000, create());
    assert!(enough.result.is_success());
    let used = enough.result.tx_gas_used();
    // The least that a transaction with this calldata may have (EIP-7623).
    let (mut failed, mut gas) = (0, 26_090);
    loop {
        let result = transact(vec![], DATANETS, 0, gas, create());
        if result.result.is_success() {
            break;
        }
        assert!(matches!(result.result, ExecutionResult::Halt { .. }), "{:?}", result.result);
        assert_eq!((changed(&result), result.result.logs().len()), (0, 0));
        assert_eq!(result.result.tx_gas_used(), gas);
        failed += 1;
        gas += 97;
    }
    assert!(failed > 100 && gas >= used && gas < used + 2_500, "{failed} {gas} {used}");
}

#[test]
fn count_costs_what_the_page_says() {
    let result = transact(vec![], DATANETS, 0, 100_000, datanetCountCall {}.abi_encode());
    // 21,000 and four non-zero bytes; 100 for the call, a word decoded, two cold slots, a word returned.
    let intrinsic = 21_000 + 4 * 16;
    assert_eq!(result.result.tx_gas_used(), intrinsic + 100 + 12 + 2 * 2_100 + 12);
}
