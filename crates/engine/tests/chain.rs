//! A chain on disk, driven through the engine's handle.
#![allow(clippy::unwrap_used)]

mod node;

use alloy_consensus::TxReceipt;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolCall;
use node::{Node, create_datanet, mint, signer, tx};
use openledger_abi::{ATTRIBUTION, DATANETS, IAttribution, IDatanets, IPayouts, PAYOUTS};
use openledger_engine::{Block, ChainEvent, EngineError, Handling, SkipReason};

#[tokio::test]
async fn hundreds_of_blocks_with_deposits_and_precompile_calls_are_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    let mut events = node.engine.subscribe();
    for number in 0..200_u64 {
        let deposits = if number % 10 == 0 { (1..=3).map(|i| mint(i, number)).collect() } else { vec![] };
        // Two transactions of each sender a block.
        let nonce = 2 * number + number / 10 + 1;
        let bond = IAttribution::bondCall {}.abi_encode();
        let credit = IPayouts::creditOfCall { account: signer(1).address() }.abi_encode();
        let commit = IDatanets::commitCall { commitment: keccak256(number.to_be_bytes()) };
        let pool = vec![
            create_datanet(1, nonce),
            tx(1, nonce + 1, Address::repeat_byte(0x77), 5, vec![]),
            tx(2, nonce, ATTRIBUTION, 1_000_000, bond),
            tx(2, nonce + 1, DATANETS, 1_000, commit.abi_encode()),
            tx(3, nonce, PAYOUTS, 0, credit),
            // Reverts, and pays for it: nobody escrowed this request.
            tx(3, nonce + 1, PAYOUTS, 0, IPayouts::refundCall { requestId: B256::ZERO }.abi_encode()),
        ];
        let built = node.seal(deposits, pool).await;
        assert!(built.skipped.is_empty(), "block {number}: {:?}", built.skipped);
        let ChainEvent::NewBlock(block) = events.recv().await.unwrap() else { panic!("not a block") };
        assert_eq!(block.hash, built.hash);
        let failed = block.receipts.iter().filter(|receipt| !receipt.status()).count();
        assert_eq!(failed, 1, "only the refund fails");
    }
    assert_eq!(node.head().number, 200);
    assert_eq!(node.engine.database().check().unwrap().head, node.head());
    let (head, root) = (node.head(), node.engine.database().state().unwrap().state_root());
    node.close();

    let node = Node::open(folder.path());
    assert_eq!(node.head(), head);
    assert_eq!(node.engine.database().state().unwrap().state_root(), root);
    node.seal(vec![mint(1, 999)], vec![]).await;
    assert_eq!(node.head().number, 201);
    node.close();
}

#[tokio::test]
async fn an_invalid_transaction_of_the_pool_is_skipped_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    node.seal(vec![mint(1, 0), mint(2, 0)], vec![]).await;
    let good = create_datanet(1, 1);
    let poor = tx(9, 0, DATANETS, 1, vec![]);
    let bad_nonce = tx(2, 7, ATTRIBUTION, 1, IAttribution::bondCall {}.abi_encode());
    let plain = node.build(vec![], vec![good.clone()]).await;
    let built = node.build(vec![], vec![poor.clone(), bad_nonce.clone(), good]).await;
    assert_eq!(built.hash, plain.hash);
    let skipped: Vec<_> = built.skipped.iter().map(|skipped| skipped.hash).collect();
    assert_eq!(skipped, [poor.tx_hash(), bad_nonce.tx_hash()]);
    assert!(built.skipped.iter().all(|skipped| matches!(skipped.reason, SkipReason::Invalid(_))));
    node.engine.insert(built.block).await.unwrap();
    node.close();
}

#[tokio::test]
async fn tampered_blocks_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    node.seal(vec![mint(1, 0)], vec![]).await;
    let good = node.build(vec![], vec![create_datanet(1, 1)]).await;
    let before = (node.head(), node.engine.database().check().unwrap());
    let tamper: [fn(&mut Block); 11] = [
        |b| b.header.state_root = B256::ZERO,
        |b| b.header.withdrawals_root = Some(B256::ZERO),
        |b| b.header.receipts_root = B256::ZERO,
        |b| b.header.transactions_root = B256::ZERO,
        |b| b.header.gas_used += 1,
        |b| b.header.base_fee_per_gas = Some(1),
        |b| b.header.extra_data = Bytes::new(),
        |b| b.header.number += 1,
        |b| b.header.timestamp = 0,
        |b| drop(b.body.transactions.pop()),
        |b| b.header.requests_hash = None,
    ];
    for (index, change) in tamper.into_iter().enumerate() {
        let mut block = good.block.clone();
        change(&mut block);
        let error = node.engine.insert(block.clone()).await.unwrap_err();
        assert!(matches!(error, EngineError::Invalid(_)), "{index}: {error}");
        assert_eq!(error.handling(), Handling::Reset);
        if block.header.hash_slow() == good.hash {
            continue;
        }
        let announced = node.engine.insert_announced(block, good.hash).await.unwrap_err();
        assert!(matches!(announced, EngineError::WrongHash { .. }), "{index}: {announced}");
    }
    let mut orphan = good.block.clone();
    orphan.header.parent_hash = B256::ZERO;
    let error = node.engine.insert(orphan).await.unwrap_err();
    assert!(matches!(error, EngineError::NotOnHead { .. }), "{error}");
    assert_eq!((node.head(), node.engine.database().check().unwrap()), before);
    // The real one still goes in, and a second time changes nothing.
    node.engine.insert(good.block.clone()).await.unwrap();
    node.engine.insert(good.block).await.unwrap();
    node.close();
}

#[tokio::test]
async fn after_a_reorg_other_blocks_follow_and_finalized_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    let mut ids = vec![node.head()];
    let mut roots = vec![node.engine.database().state().unwrap().state_root()];
    for number in 0..6 {
        ids.push(node.seal(vec![mint(1, number)], vec![]).await.id());
        roots.push(node.engine.database().state().unwrap().state_root());
    }
    node.engine.set_safe(ids[4]).await.unwrap();
    node.engine.set_finalized(ids[2]).await.unwrap();
    let mut events = node.engine.subscribe();

    let refused = node.engine.reorg_to(ids[1]).await.unwrap_err();
    assert!(matches!(refused, EngineError::BelowFinalized { to: 1, .. }), "{refused}");
    assert_eq!(node.head(), ids[6]);

    node.engine.reorg_to(ids[3]).await.unwrap();
    assert_eq!(node.engine.database().state().unwrap().state_root(), roots[3]);
    assert_eq!(node.engine.database().heads().safe, ids[3]);
    assert!(matches!(events.recv().await.unwrap(), ChainEvent::Safe(id) if id == ids[3]));
    let ChainEvent::Unwound { to, dropped } = events.recv().await.unwrap() else { panic!() };
    assert_eq!((to, dropped.len()), (ids[3], 3));
    assert_eq!(dropped[0].header.number, 4);

    let other = node.seal(vec![mint(2, 77)], vec![]).await;
    assert_eq!(other.id().number, 4);
    assert_ne!(other.hash, ids[4].hash);
    let gone = node.engine.set_safe(ids[4]).await.unwrap_err();
    assert!(matches!(gone, EngineError::NotCanonical { .. }), "{gone}");
    node.engine.database().check().unwrap();
    node.close();
}

#[tokio::test]
async fn a_handle_whose_engine_has_ended_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    let stale = node.build(vec![], vec![]).await;
    node.seal(vec![mint(1, 0)], vec![]).await;
    let error = node.engine.insert(stale.block).await.unwrap_err();
    assert!(matches!(error, EngineError::NotOnHead { .. }), "{error}");
    let mut events = node.engine.subscribe();
    node.close();
    assert!(events.recv().await.is_err());
}
