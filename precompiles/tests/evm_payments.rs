//! Settling and claiming in a real EVM: storage across precompiles, refunds of gas, gas that runs out anywhere.
#![allow(clippy::unwrap_used)]

mod chain;
mod world;

use alloy_primitives::{Address, B256, U256, hex};
use alloy_sol_types::SolCall;
use chain::*;
use openledger_abi::IAttribution::*;
use openledger_abi::IPayouts::*;
use openledger_abi::{ATTRIBUTION, PAYOUTS};
use openledger_precompiles::Precompile;
use revm::context::result::ExecutionResult;
use world::*;

const GAS: u64 = 16_000_000;

fn settle(request: B256) -> Vec<u8> {
    settleCall { receipt: eight(request) }.abi_encode()
}

#[test]
fn settlement_writes_the_storage_of_payouts_and_of_attribution() {
    let mut chain = Chain::with_model();
    let id = chain.request(1);
    let before = [PAYER, MODELLER].map(|account| chain.balance(account));
    let run = chain.simulate(MODELLER, ATTRIBUTION, 0, GAS, &settle(id));
    assert!(run.result.is_success(), "{:?}", run.result);
    // Status, and the credits of platform, model owner who is the attestor too, and the Datanets' owner.
    assert_eq!(changed(&run, Precompile::Payouts), 4);
    // What Alice's and Bob's contributions have accrued.
    assert_eq!(changed(&run, Precompile::Datanets), 2);
    let emitters = run.result.logs().iter().filter(|log| log.address == PAYOUTS).count();
    assert_eq!((emitters, run.result.logs().len()), (2 + 1, 2 + 1 + 1));
    assert!(chain.transact(MODELLER, ATTRIBUTION, 0, GAS, &settle(id)).is_success());
    let fee = U256::from(2_724);
    chain.call(BOB, 0, &drawCall { contributions: vec![1, 2] });
    let people = [PLATFORM, MODELLER, ALICE, BOB, CURATOR];
    let owed = people.map(|account| chain.credit(account));
    assert!(owed.iter().all(|wei| !wei.is_zero()), "{owed:?}");
    assert_eq!(owed.iter().sum::<U256>(), fee);
    assert_eq!(chain.balance(PAYOUTS), fee);
    let after = [PAYER, MODELLER].map(|account| chain.balance(account));
    assert_eq!(after, [before[0] + U256::from(1_000_000) - fee, before[1]]);
    for (account, wei) in people.into_iter().zip(owed) {
        let had = chain.balance(account);
        assert_eq!(chain.call(BOB, 0, &claimForCall { account }), wei);
        assert_eq!(chain.balance(account), had + wei);
    }
    assert_eq!(chain.balance(PAYOUTS), U256::ZERO);
}

#[test]
fn claim_costs_what_the_page_says_and_its_refund_reaches_the_transaction() {
    let mut chain = Chain::with_model();
    let id = chain.request(1);
    chain.call(MODELLER, 0, &settleCall { receipt: eight(id) });
    chain.call(BOB, 0, &drawCall { contributions: vec![1, 2] });
    let run = chain.simulate(ALICE, PAYOUTS, 0, 200_000, &claimCall {}.abi_encode());
    let ExecutionResult::Success { gas: spent, .. } = &run.result else { panic!("{:?}", run.result) };
    // The call with its word of calldata, a mapping's entry, a cold load, a warm slot cleared, a log of three topics and
    // two words, a payment to a warm account that is not empty, a word returned.
    let log = 375 + 3 * 375 + 8 * 64;
    let used = 21_000 + 4 * 16 + 100 + 12 + 42 + 2_100 + 2_900 + log + 9_000 + 100 + 12;
    assert_eq!(spent.total_gas_spent(), used);
    assert_eq!(spent.inner_refunded(), 4_800);
    assert_eq!(run.result.tx_gas_used(), used - 4_800);
}

#[test]
fn first_bond_costs_what_the_page_says() {
    let chain = Chain::with_model();
    let run = chain.simulate(BOB, ATTRIBUTION, 5, 200_000, &bondCall {}.abi_encode());
    assert!(run.result.is_success(), "{:?}", run.result);
    // A mapping's entry, two cold slots, of which one is set while warm, a log of two topics and two words.
    let log = 375 + 2 * 375 + 8 * 64;
    let intrinsic = 21_000 + 4 * 16;
    assert_eq!(run.result.tx_gas_used(), intrinsic + 100 + 12 + 42 + 2 * 2_100 + 20_000 + log);
}

/// Runs a transaction at every gas limit, `step` apart, up to the one that suffices.
fn at_every_gas_limit(chain: &mut Chain, from: Address, to: Address, data: &[u8], step: u64) {
    let enough = chain.simulate(from, to, 0, GAS, data);
    let ExecutionResult::Success { gas: spent, .. } = &enough.result else { panic!("{:?}", enough.result) };
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    let tokens = zeros + 4 * (data.len() as u64 - zeros);
    let (mut gas, mut failed) = (21_000 + 10 * tokens, 0);
    loop {
        let run = chain.simulate(from, to, 0, gas, data);
        if run.result.is_success() {
            break;
        }
        assert!(matches!(run.result, ExecutionResult::Halt { .. }), "{:?}", run.result);
        assert_eq!(run.result.tx_gas_used(), gas);
        unchanged(chain, &run);
        (gas, failed) = (gas + step, failed + 1);
    }
    // The stipend that SSTORE wants left is all that a limit may need above what is spent.
    assert!(gas >= spent.total_gas_spent() && gas <= spent.total_gas_spent() + 2_300 + step, "{gas}");
    assert!(failed > 50, "{failed}");
}

#[test]
fn settlement_that_runs_out_of_gas_anywhere_changes_nothing() {
    let mut chain = Chain::with_model();
    let id = chain.request(1);
    at_every_gas_limit(&mut chain, MODELLER, ATTRIBUTION, &settle(id), 499);
}

#[test]
fn claim_that_runs_out_of_gas_anywhere_changes_nothing() {
    let mut chain = Chain::with_model();
    let id = chain.request(1);
    chain.call(MODELLER, 0, &settleCall { receipt: eight(id) });
    chain.call(BOB, 0, &drawCall { contributions: vec![1, 2] });
    at_every_gas_limit(&mut chain, ALICE, PAYOUTS, &claimCall {}.abi_encode(), 7);
    // The platform's account is empty, so that it costs 25,000 more to pay.
    let data = claimForCall { account: PLATFORM }.abi_encode();
    at_every_gas_limit(&mut chain, ALICE, PAYOUTS, &data, 97);
}

#[test]
fn what_twenty_receipts_hold_is_released_in_one_call() {
    let mut chain = Chain::with_model();
    for salt in 0..20 {
        let id = chain.request(salt);
        chain.call(MODELLER, 0, &settleCall { receipt: good(id) });
    }
    let bond = chain.call(BOB, 0, &bondOfCall { attestor: MODELLER });
    assert_eq!(bond.locked, U256::from(20 * 1_035));
    let all = unbondCall { amount: bond.total };
    chain.time += 99;
    let early = chain.simulate(MODELLER, ATTRIBUTION, 0, GAS, &all.abi_encode());
    unchanged(&mut chain, &early);
    // The bucket that holds it lasts 7 seconds.
    chain.time += 7;
    assert_eq!(chain.call(BOB, 0, &bondOfCall { attestor: MODELLER }).locked, U256::ZERO);
    let before = chain.balance(MODELLER);
    chain.call(MODELLER, 0, &all);
    assert_eq!(chain.balance(MODELLER), before + bond.total);
    assert_eq!(chain.balance(ATTRIBUTION), U256::ZERO);
}

#[test]
fn write_below_a_static_call_is_refused() {
    let mut chain = Chain::with_model();
    // The inner contract calls Attribution with its calldata and reverts when that reverts; the outer one calls it
    // statically and does the same.
    let (inner, outer) = (Address::repeat_byte(0x71), Address::repeat_byte(0x72));
    let pass_on = |to: Address, call: &[u8]| {
        let mut code = hex!("365f5f375f5f365f").to_vec();
        code.extend(if call[0] == 0xf1 { vec![0x5f, 0x73] } else { vec![0x73] });
        code.extend(to);
        code.extend([0x5a, call[0], 0x15]);
        let target = code.len() as u8 + 4;
        code.extend([0x60, target, 0x57, 0x00, 0x5b, 0x5f, 0x5f, 0xfd]);
        code
    };
    chain.deploy(inner, pass_on(ATTRIBUTION, &[0xf1]));
    chain.deploy(outer, pass_on(inner, &[0xfa]));
    let unbond = unbondCall { amount: U256::ZERO }.abi_encode();
    assert!(chain.simulate(BOB, inner, 0, GAS, &unbond).result.is_success());
    let run = chain.simulate(BOB, outer, 0, GAS, &unbond);
    assert!(matches!(run.result, ExecutionResult::Revert { .. }), "{:?}", run.result);
    unchanged(&mut chain, &run);
    let count = modelCountCall {}.abi_encode();
    assert!(chain.simulate(BOB, outer, 0, GAS, &count).result.is_success());
}
