//! The same in the OP EVM: its handler counts refunds on its own, and its deposits have rules of their own.
#![allow(clippy::unwrap_used)]

mod chain;
mod world;

use alloy_evm::{Evm, EvmEnv, EvmFactory};
use alloy_op_evm::{OpEvmFactory, OpTx};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::SolCall;
use chain::*;
use op_revm::transaction::deposit::{DEPOSIT_TRANSACTION_TYPE, DepositTransactionParts};
use op_revm::{OpHaltReason, OpSpecId, OpTransaction};
use openledger_abi::IAttribution::*;
use openledger_abi::IPayouts::*;
use openledger_abi::{ATTRIBUTION, PAYOUTS};
use openledger_precompiles::{Precompile, install};
use revm::context::result::{ExecutionResult, ResultAndState};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use world::*;

/// A transaction of `from`, which is a deposit that mints `mint` wei when given.
fn run(
    chain: &Chain,
    from: Address,
    to: Address,
    value: u128,
    gas: u64,
    mint: Option<u128>,
    data: &[u8],
) -> ResultAndState<OpHaltReason> {
    let mut cfg = CfgEnv::new_with_spec(OpSpecId::ISTHMUS);
    (cfg.chain_id, cfg.disable_nonce_check) = (CHAIN, true);
    let params = cfg.gas_params.clone();
    let block = BlockEnv {
        number: U256::from(chain.number),
        timestamp: U256::from(chain.time),
        gas_limit: u64::MAX,
        ..BlockEnv::default()
    };
    let factory = OpEvmFactory::<OpTx>::default();
    let mut evm = factory.create_evm(chain.db.clone(), EvmEnv::new(cfg, block));
    install(evm.precompiles_mut(), &params);
    let base = TxEnv {
        caller: from,
        kind: TxKind::Call(to),
        value: U256::from(value),
        gas_limit: gas,
        data: Bytes::copy_from_slice(data),
        chain_id: mint.is_none().then_some(CHAIN),
        tx_type: if mint.is_some() { DEPOSIT_TRANSACTION_TYPE } else { 0 },
        ..TxEnv::default()
    };
    let deposit = mint.map(|mint| DepositTransactionParts {
        source_hash: B256::repeat_byte(1),
        mint: Some(mint),
        is_system_transaction: false,
    });
    let tx = OpTransaction {
        base,
        enveloped_tx: Some(Bytes::from_static(&[0])),
        deposit: deposit.unwrap_or_default(),
    };
    evm.transact_raw(OpTx(tx)).unwrap()
}

#[test]
fn refund_of_a_claim_reaches_an_l2_transaction() {
    let mut chain = Chain::with_model();
    let id = chain.request(1);
    chain.call(MODELLER, 0, &settleCall { receipt: eight(id) });
    chain.call(BOB, 0, &drawCall { contributions: vec![1, 2] });
    let claim = claimCall {}.abi_encode();
    let on_l1 = chain.simulate(ALICE, PAYOUTS, 0, 200_000, &claim).result;
    let on_l2 = run(&chain, ALICE, PAYOUTS, 0, 200_000, None, &claim).result;
    assert!(on_l2.is_success(), "{on_l2:?}");
    assert_eq!(on_l2.tx_gas_used(), on_l1.tx_gas_used());
    assert_eq!(on_l2.gas().total_gas_spent(), on_l2.tx_gas_used() + 4_800);
}

#[test]
fn settlement_costs_the_same_and_writes_the_same_as_in_the_plain_evm() {
    let mut chain = Chain::with_model();
    let id = chain.request(1);
    let data = settleCall { receipt: eight(id) }.abi_encode();
    let plain = chain.simulate(MODELLER, ATTRIBUTION, 0, 16_000_000, &data);
    let op = run(&chain, MODELLER, ATTRIBUTION, 0, 16_000_000, None, &data);
    assert!(op.result.is_success(), "{:?}", op.result);
    assert_eq!(op.result.tx_gas_used(), plain.result.tx_gas_used());
    assert_eq!(op.result.logs(), plain.result.logs());
    for precompile in Precompile::ALL {
        let (op, plain) = (op.state.get(&precompile.address()), plain.state.get(&precompile.address()));
        assert_eq!(op.map(|account| &account.storage), plain.map(|account| &account.storage));
    }
}

#[test]
fn deposit_that_a_precompile_refuses_mints_and_moves_nothing_else() {
    let mut chain = Chain::with_model();
    // More value than `unbond` takes, which is none.
    let unbond = unbondCall { amount: U256::ZERO }.abi_encode();
    let refused = run(&chain, MODELLER, ATTRIBUTION, 7, 200_000, Some(1_000), &unbond);
    assert!(matches!(refused.result, ExecutionResult::Revert { .. }), "{:?}", refused.result);
    let had = chain.balance(MODELLER);
    assert_eq!(refused.state[&MODELLER].info.balance, had + U256::from(1_000));
    let held = chain.balance(ATTRIBUTION);
    assert_eq!(refused.state[&ATTRIBUTION].info.balance, held);
    let bonded = run(&chain, MODELLER, ATTRIBUTION, 7, 200_000, Some(7), &bondCall {}.abi_encode());
    assert!(bonded.result.is_success(), "{:?}", bonded.result);
    assert_eq!(bonded.state[&ATTRIBUTION].info.balance, held + U256::from(7));
    assert_eq!(bonded.state[&MODELLER].info.balance, had);
}
