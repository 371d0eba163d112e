//! Random sequences of additions, blocks and unwinds, with what must hold after each.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{HashMap, HashSet};

use alloy_consensus::{SignableTransaction, Transaction, TxEip1559, transaction::Recovered};
use alloy_primitives::{Address, Signature, TxKind, U256};
use op_revm::{L1BlockInfo, OpSpecId};
use openledger_primitives::OpenTxEnvelope;
use openledger_txpool::{AccountState, Pool, PoolConfig, PoolError, PoolHead};
use proptest::prelude::*;

const CHAIN_ID: u64 = 7;

fn head(number: u64, base_fee_wei: u64) -> PoolHead {
    let l1 = L1BlockInfo {
        l1_base_fee: U256::from(1_000_000_000u64),
        l1_base_fee_scalar: U256::from(1_000u64),
        l1_blob_base_fee: Some(U256::from(1u64)),
        l1_blob_base_fee_scalar: Some(U256::from(1u64)),
        operator_fee_scalar: Some(U256::from(3u64)),
        operator_fee_constant: Some(U256::from(7u64)),
        ..L1BlockInfo::default()
    };
    PoolHead { number, base_fee_wei, gas_limit: 30_000_000, spec_id: OpSpecId::ISTHMUS, l1 }
}

fn tx(sender: u8, nonce: u64, fee: u128, tip: u128) -> Recovered<OpenTxEnvelope> {
    let tx = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: fee,
        max_priority_fee_per_gas: tip.min(fee),
        to: TxKind::Call(Address::ZERO),
        value: U256::from(sender),
        ..TxEip1559::default()
    };
    let signed = tx.into_signed(Signature::test_signature());
    Recovered::new_unchecked(signed.into(), Address::repeat_byte(sender))
}

fn account(block: u64, nonce: u64) -> AccountState {
    AccountState { block, nonce, balance: U256::from(10u64).pow(U256::from(18)), is_contract: false }
}

fn small() -> PoolConfig {
    PoolConfig { max_transactions: 12, max_slots: 14, max_per_sender: 4, ..PoolConfig::default() }
}

#[derive(Debug, Clone)]
enum Step {
    Add { sender: u8, nonce_ahead: u64, fee: u128, tip: u128 },
    Mine { base_fee: u64, count: usize },
    Unwind,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..5, 0u64..5, 1u128..200, 0u128..50)
            .prop_map(|(sender, nonce_ahead, fee, tip)| Step::Add { sender, nonce_ahead, fee, tip }),
        2 => (0u64..100, 0usize..6).prop_map(|(base_fee, count)| Step::Mine { base_fee, count }),
        1 => Just(Step::Unwind),
    ]
}

fn check(pool: &Pool, nonces: &HashMap<Address, u64>, base_fee: u64) {
    let config = pool.config();
    assert!(pool.len() <= config.max_transactions);
    let content = pool.content();
    let mut count = 0;
    for (sender, (pending, queued)) in &content {
        let all: Vec<_> = pending.iter().chain(queued).collect();
        count += all.len();
        assert!(all.len() <= config.max_per_sender);
        assert!(!all.is_empty(), "senders without transactions are forgotten");
        for (index, one) in pending.iter().enumerate() {
            assert_eq!(one.transaction().nonce(), nonces[sender] + index as u64);
        }
        assert!(all.windows(2).all(|two| two[0].transaction().nonce() < two[1].transaction().nonce()));
        assert_eq!(pool.pending_nonce(sender), Some(nonces[sender] + pending.len() as u64));
        for one in all {
            assert_eq!(pool.get(&one.hash()).unwrap().hash(), one.hash());
        }
    }
    assert_eq!(count, pool.len());

    let best = pool.best(base_fee, 30_000_000, 100);
    let mut next: HashMap<Address, u64> = nonces.clone();
    for one in &best {
        let nonce = next.get_mut(&one.signer()).unwrap();
        assert_eq!(one.nonce(), *nonce, "best leaves no gap");
        *nonce += 1;
        assert!(one.max_fee_per_gas() >= u128::from(base_fee));
    }
    // Of two senders' first transactions, the better paying one stands first.
    let mut seen = HashSet::new();
    let firsts = best.iter().filter(|one| seen.insert(one.signer()));
    let tips: Vec<_> = firsts.map(|one| one.effective_tip_per_gas(base_fee).unwrap()).collect();
    let first = tips.first().copied().unwrap_or_default();
    assert!(tips.iter().all(|&tip| tip <= first));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nonce_order_and_limits_hold_after_every_step(steps in prop::collection::vec(step(), 1..80)) {
        let mut pool = Pool::new(small(), CHAIN_ID, head(1, 10));
        let mut nonces: HashMap<Address, u64> =
            (0u8..5).map(|sender| (Address::repeat_byte(sender), 0)).collect();
        let (mut number, mut base_fee) = (1, 10);
        let mut mined: Vec<Vec<Recovered<OpenTxEnvelope>>> = Vec::new();
        for step in steps {
            match step {
                Step::Add { sender, nonce_ahead, fee, tip } => {
                    let address = Address::repeat_byte(sender);
                    let nonce = nonces[&address] + nonce_ahead;
                    let before = pool.content();
                    let old = before.get(&address).and_then(|(pending, queued)| {
                        pending.iter().chain(queued).find(|one| one.transaction().nonce() == nonce)
                    });
                    let new = tx(sender, nonce, fee, tip);
                    match pool.add(new.clone(), account(number, nonces[&address])) {
                        Ok(added) => {
                            prop_assert_eq!(added.replaced, old.map(|one| one.hash()));
                            if let Some(old) = old {
                                let (was, is) = (old.transaction(), &new);
                                prop_assert!(is.max_fee_per_gas() * 100 >= was.max_fee_per_gas() * 110);
                                prop_assert!(
                                    is.priority_fee_or_price() * 100 >= was.priority_fee_or_price() * 110
                                );
                            }
                            prop_assert!(pool.get(&added.hash).is_some());
                            prop_assert!(added.evicted.iter().all(|hash| pool.get(hash).is_none()));
                        }
                        Err(_) => {
                            let hashes = |content: &openledger_txpool::Content| {
                                let all = content.values().flat_map(|(one, two)| one.iter().chain(two));
                                all.map(|one| one.hash()).collect::<Vec<_>>()
                            };
                            prop_assert_eq!(hashes(&before), hashes(&pool.content()));
                        }
                    }
                }
                Step::Mine { base_fee: next, count } => {
                    let block = pool.best(base_fee, 30_000_000, count);
                    for one in &block {
                        nonces.insert(one.signer(), one.nonce() + 1);
                    }
                    mined.push(block);
                    (number, base_fee) = (number + 1, next);
                    let accounts =
                        nonces.iter().map(|(&one, &nonce)| (one, account(number, nonce))).collect();
                    pool.on_new_block(head(number, base_fee), &accounts);
                    prop_assert!(pool.stale_senders().is_empty());
                }
                Step::Unwind => {
                    let Some(block) = mined.pop() else { continue };
                    for one in block.iter().rev() {
                        nonces.insert(one.signer(), one.nonce());
                    }
                    number -= 1;
                    let accounts =
                        nonces.iter().map(|(&one, &nonce)| (one, account(number, nonce))).collect();
                    let back = pool.on_unwound(head(number, base_fee), &accounts, block);
                    // What is taken in again may make room for what follows, never more than fits.
                    prop_assert!(back.len() <= pool.config().max_transactions);
                }
            }
            check(&pool, &nonces, base_fee);
        }
    }

    #[test]
    fn l1_fee_is_what_op_revm_charges(size in 0usize..3000, gas in 21_000u64..10_000_000, seed: u8) {
        let head = head(1, 1);
        let mut raw: Vec<u8> = (0..size).map(|at| (at as u8).wrapping_mul(seed)).collect();
        raw.insert(0, 2);
        let size = op_revm::transaction::estimate_tx_compressed_size(&raw);
        let expected = head.l1.clone().tx_cost(&raw, U256::from(gas), head.spec_id);
        prop_assert_eq!(head.additional_cost(size, gas), expected);
    }
}

fn refusal(transaction: Recovered<OpenTxEnvelope>, account: AccountState) -> String {
    let mut pool = Pool::new(PoolConfig::default(), CHAIN_ID, head(1, 10));
    let error = pool.add(transaction, account).unwrap_err();
    assert_eq!(error.rpc_code(), -32000);
    assert!(pool.is_empty());
    error.to_string()
}

#[test]
fn refusals_begin_as_geths_do() {
    assert!(refusal(tx(1, 0, 100, 1), account(1, 1)).starts_with("nonce too low"));
    let poor = AccountState { balance: U256::from(1), ..account(1, 0) };
    assert!(refusal(tx(1, 0, 100, 1), poor).starts_with("insufficient funds for gas * price + value"));
    let contract = AccountState { is_contract: true, ..account(1, 0) };
    assert!(refusal(tx(1, 0, 100, 1), contract).starts_with("sender not an eoa"));
    let with = |change: fn(&mut TxEip1559)| {
        let mut tx = TxEip1559 {
            chain_id: CHAIN_ID,
            gas_limit: 21_000,
            max_fee_per_gas: 100,
            to: TxKind::Call(Address::ZERO),
            ..TxEip1559::default()
        };
        change(&mut tx);
        let signed = tx.into_signed(Signature::test_signature());
        refusal(Recovered::new_unchecked(signed.into(), Address::ZERO), account(1, 0))
    };
    assert!(with(|tx| tx.chain_id = 8).starts_with("invalid chain id for signer"));
    assert!(with(|tx| tx.gas_limit = 20_999).starts_with("intrinsic gas too low"));
    assert!(with(|tx| tx.gas_limit = 30_000_001).starts_with("exceeds block gas limit"));
    assert!(
        with(|tx| tx.max_priority_fee_per_gas = 101)
            .starts_with("max priority fee per gas higher than max fee per gas")
    );
    assert!(with(|tx| tx.input = vec![0; 128 * 1024].into()).starts_with("oversized data"));
    assert!(
        with(|tx| {
            tx.to = TxKind::Create;
            tx.gas_limit = 10_000_000;
            tx.input = vec![0; 49_153].into();
        })
        .starts_with("max initcode size exceeded")
    );
    assert!(with(|tx| tx.nonce = u64::MAX).starts_with("nonce has max value"));
}

#[test]
fn same_transaction_is_already_known_and_a_small_bump_is_underpriced() {
    let mut pool = Pool::new(PoolConfig::default(), CHAIN_ID, head(1, 10));
    pool.add(tx(1, 0, 100, 10), account(1, 0)).unwrap();
    let again = pool.add(tx(1, 0, 100, 10), account(1, 0)).unwrap_err();
    assert_eq!(again.to_string(), "already known");
    for (fee, tip) in [(109, 11), (110, 10)] {
        let error = pool.add(tx(1, 0, fee, tip), account(1, 0)).unwrap_err();
        assert!(error.to_string().starts_with("replacement transaction underpriced"), "{error}");
    }
    assert!(pool.add(tx(1, 0, 110, 11), account(1, 0)).unwrap().replaced.is_some());
}

#[test]
fn full_pool_evicts_the_worst_paying_or_refuses() {
    let mut pool = Pool::new(small(), CHAIN_ID, head(1, 10));
    for sender in 1..=12 {
        pool.add(tx(sender, 0, 100, u128::from(sender) + 10), account(1, 0)).unwrap();
    }
    assert_eq!(pool.add(tx(20, 0, 100, 5), account(1, 0)).unwrap_err(), PoolError::Full);
    let worst = pool.content()[&Address::repeat_byte(1)].0[0].hash();
    assert_eq!(pool.add(tx(20, 0, 100, 50), account(1, 0)).unwrap().evicted, vec![worst]);
}

#[test]
fn what_becomes_too_expensive_waits_until_it_is_affordable_again() {
    let mut pool = Pool::new(PoolConfig::default(), CHAIN_ID, head(1, 10));
    let one = tx(1, 0, 100, 1);
    // The L1 data fee is 1.6e9 wei, gas and value are little beside it.
    let sender = AccountState { balance: U256::from(2_000_000_000), ..account(1, 0) };
    pool.add(one, sender).unwrap();
    assert_eq!(pool.counts(), (1, 0));
    let mut dear = head(2, 10);
    dear.l1.operator_fee_constant = Some(U256::from(1_000_000_000u64));
    let now = AccountState { block: 2, ..sender };
    pool.on_new_block(dear, &[(Address::repeat_byte(1), now)].into());
    assert_eq!(pool.counts(), (0, 1));
    pool.on_new_block(head(3, 10), &[(Address::repeat_byte(1), AccountState { block: 3, ..sender })].into());
    assert_eq!(pool.counts(), (1, 0));
}

#[test]
fn filling_a_gap_makes_later_nonces_pending() {
    let mut pool = Pool::new(small(), CHAIN_ID, head(1, 10));
    assert!(pool.add(tx(1, 1, 100, 1), account(1, 0)).unwrap().pending.is_empty());
    assert_eq!(pool.pending_nonce(&Address::repeat_byte(1)), Some(0));
    assert_eq!(pool.add(tx(1, 0, 100, 1), account(1, 0)).unwrap().pending.len(), 2);
    assert_eq!(pool.pending_nonce(&Address::repeat_byte(1)), Some(2));
}

#[test]
fn what_is_in_a_block_that_is_being_stored_is_given_again_only_if_the_block_is_lost() {
    let mut pool = Pool::new(PoolConfig::default(), CHAIN_ID, head(1, 10));
    let hashes: Vec<_> =
        (0..3).map(|nonce| pool.add(tx(1, nonce, 100, 1), account(1, 0)).unwrap().hash).collect();
    let best =
        |pool: &Pool| -> Vec<_> { pool.best(10, 30_000_000, 10).iter().map(|one| one.tx_hash()).collect() };
    pool.put_in_block([hashes[1]]);
    assert_eq!(best(&pool), hashes[2..]);
    assert_eq!(pool.counts(), (3, 0));
    pool.put_in_block([hashes[2]]);
    assert!(best(&pool).is_empty() && !pool.has_ready());
    pool.release();
    assert_eq!(best(&pool), hashes);
    pool.put_in_block([hashes[1]]);
    let accounts = [(Address::repeat_byte(1), account(2, 2))].into();
    assert_eq!(pool.on_new_block(head(2, 10), &accounts), hashes[..2]);
    assert_eq!(best(&pool), hashes[2..]);
    // A block that was stored is taken back.
    let accounts = [(Address::repeat_byte(1), account(1, 1))].into();
    pool.on_unwound(head(1, 10), &accounts, [tx(1, 1, 100, 1)]);
    assert_eq!(best(&pool), hashes[1..]);
}

#[test]
fn blob_and_deposit_bytes_are_refused_by_type() {
    for first in [3, 0x7e, 0x7d, 5] {
        let error = openledger_txpool::decode_raw_transaction(&[first, 0xc0], 1000).unwrap_err();
        assert!(error.to_string().starts_with("transaction type not supported"), "{error}");
    }
    assert!(matches!(openledger_txpool::decode_raw_transaction(&[2], 10), Err(PoolError::Decode(_))));
}
