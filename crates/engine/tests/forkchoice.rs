//! Payloads and forkchoice updates: blocks off the chain, branches, reorganisations.
#![allow(clippy::unwrap_used)]

mod node;

use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use node::{Node, mint};
use openledger_engine::{BuiltBlock, ChainEvent, EngineError, Forkchoice, ForkchoiceStatus, PayloadStatus};

/// A chain of blocks after genesis, made by a node of its own.
async fn branch(salt: u64, length: u64) -> Vec<BuiltBlock> {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    let mut blocks = Vec::new();
    for number in 0..length {
        blocks.push(node.seal(vec![mint(1, salt * 1_000 + number)], vec![]).await);
    }
    node.close();
    blocks
}

async fn give(node: &Node, blocks: &[BuiltBlock]) {
    for built in blocks {
        let status = node.engine.new_payload(built.block.clone(), built.hash).await.unwrap();
        assert_eq!(status, PayloadStatus::Valid(built.id()));
    }
}

async fn choose(node: &Node, head: &BuiltBlock) -> ForkchoiceStatus {
    let update = Forkchoice { head: head.hash, safe: B256::ZERO, finalized: B256::ZERO };
    node.engine.forkchoice(update).await.unwrap()
}

#[tokio::test]
async fn a_payload_is_executed_off_the_chain_and_becomes_the_head_by_forkchoice() {
    let blocks = branch(1, 5).await;
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    give(&node, &blocks).await;
    assert_eq!(node.head().number, 0, "payloads alone move nothing");
    assert_eq!(choose(&node, &blocks[4]).await, ForkchoiceStatus::Valid(blocks[4].id()));
    assert_eq!(node.head(), blocks[4].id());
    assert_eq!(node.root(), blocks[4].block.header.state_root);
    node.engine.database().check().unwrap();
    node.close();
    let node = Node::open(folder.path());
    assert_eq!(node.head(), blocks[4].id(), "what forkchoice answered is durable");
    node.close();
}

#[tokio::test]
async fn branches_that_fork_below_the_head_are_executed_and_exchanged() {
    let (one, two) = (branch(1, 6).await, branch(2, 8).await);
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    give(&node, &one).await;
    choose(&node, &one[5]).await;
    // The other branch stands on genesis, six blocks below what is stored.
    give(&node, &two).await;
    assert_eq!(node.head(), one[5].id());
    let mut events = node.engine.subscribe();
    assert_eq!(choose(&node, &two[7]).await, ForkchoiceStatus::Valid(two[7].id()));
    let ChainEvent::Unwound { to, dropped } = events.recv().await.unwrap() else { panic!() };
    assert_eq!((to.number, dropped.len()), (0, 6));
    assert_eq!(node.root(), two[7].block.header.state_root);
    node.engine.database().check().unwrap();
    // And back, without the payloads being given again.
    assert_eq!(choose(&node, &one[5]).await, ForkchoiceStatus::Valid(one[5].id()));
    assert_eq!(node.root(), one[5].block.header.state_root);
    // An ancestor of the head takes blocks back.
    assert_eq!(choose(&node, &one[2]).await, ForkchoiceStatus::Valid(one[2].id()));
    assert_eq!(node.head(), one[2].id());
    node.engine.database().check().unwrap();
    node.close();
}

#[tokio::test]
async fn an_unknown_parent_is_syncing_and_a_wrong_block_poisons_its_children() {
    let blocks = branch(1, 4).await;
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    let later = node.engine.new_payload(blocks[2].block.clone(), blocks[2].hash).await.unwrap();
    assert_eq!(later, PayloadStatus::Syncing);
    assert_eq!(choose(&node, &blocks[2]).await, ForkchoiceStatus::Syncing);
    give(&node, &blocks[..1]).await;

    let mut wrong = blocks[1].block.clone();
    wrong.header.state_root = B256::ZERO;
    let misnamed = node.engine.new_payload(wrong.clone(), blocks[1].hash).await.unwrap();
    assert!(matches!(misnamed, PayloadStatus::Invalid { latest_valid: None, .. }), "{misnamed:?}");
    let hash = wrong.header.hash_slow();
    let status = node.engine.new_payload(wrong.clone(), hash).await.unwrap();
    let PayloadStatus::Invalid { latest_valid, reason } = status else { panic!("{status:?}") };
    assert_eq!(latest_valid, Some(blocks[0].hash));
    assert!(reason.contains("stateRoot"), "{reason}");
    let mut child = blocks[2].block.clone();
    child.header.parent_hash = hash;
    let child_hash = child.header.hash_slow();
    let status = node.engine.new_payload(child, child_hash).await.unwrap();
    assert!(matches!(status, PayloadStatus::Invalid { latest_valid: Some(at), .. } if at == blocks[0].hash));
    let update = Forkchoice { head: hash, safe: B256::ZERO, finalized: B256::ZERO };
    let status = node.engine.forkchoice(update).await.unwrap();
    assert!(matches!(status, ForkchoiceStatus::Invalid { .. }), "{status:?}");
    assert_eq!(node.head().number, 0);
    // The right ones are still welcome.
    give(&node, &blocks).await;
    assert_eq!(choose(&node, &blocks[3]).await, ForkchoiceStatus::Valid(blocks[3].id()));
    node.close();
}

#[tokio::test]
async fn another_body_under_a_good_header_does_not_poison_the_block() {
    let blocks = branch(1, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    let mut hollow = blocks[0].block.clone();
    hollow.body.transactions.pop();
    let status = node.engine.new_payload(hollow, blocks[0].hash).await.unwrap();
    assert!(matches!(status, PayloadStatus::Invalid { .. }), "{status:?}");
    give(&node, &blocks).await;
    node.close();
}

#[tokio::test]
async fn safe_and_finalized_must_be_ancestors_and_finalized_blocks_stay() {
    let (one, two) = (branch(1, 6).await, branch(2, 3).await);
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    give(&node, &one).await;
    give(&node, &two).await;
    let update = |head: &BuiltBlock, safe: &BuiltBlock, finalized: &BuiltBlock| Forkchoice {
        head: head.hash,
        safe: safe.hash,
        finalized: finalized.hash,
    };
    let stranger = node.engine.forkchoice(update(&one[5], &two[0], &one[0])).await.unwrap_err();
    assert!(matches!(stranger, EngineError::InvalidForkchoice { name: "safe", .. }), "{stranger}");
    let crossed = node.engine.forkchoice(update(&one[5], &one[1], &one[3])).await.unwrap_err();
    assert!(matches!(crossed, EngineError::InvalidForkchoice { name: "finalized", .. }), "{crossed}");
    assert_eq!(node.head().number, 0, "a refused update changes nothing");

    node.engine.forkchoice(update(&one[5], &one[3], &one[2])).await.unwrap();
    let heads = node.engine.database().heads();
    assert_eq!((heads.latest, heads.safe, heads.finalized), (one[5].id(), one[3].id(), one[2].id()));
    let refused = node.engine.forkchoice(update(&two[2], &two[0], &two[0])).await.unwrap_err();
    assert!(matches!(refused, EngineError::BelowFinalized { .. }), "{refused}");
    assert_eq!(node.engine.database().heads(), heads);
    node.close();
}

#[tokio::test]
async fn a_block_can_be_built_on_one_that_is_not_durable_yet() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    let mut durable = Vec::new();
    let mut parent: BlockNumHash = node.head();
    let mut attributes = node.attributes(vec![mint(1, 0)]);
    for number in 1..=20_u64 {
        let built = node.engine.build(parent.hash, attributes.clone(), vec![]).await.unwrap();
        assert_eq!(built.block.header.number, number);
        durable.push(node.engine.extend(built.block.clone(), built.hash).await.unwrap());
        parent = built.id();
        attributes.payload_attributes.timestamp += 2;
        attributes.payload_attributes.parent_beacon_block_root = Some(B256::with_last_byte(number as u8));
    }
    let mut last = None;
    for block in durable {
        last = Some(block.await.unwrap());
    }
    assert_eq!((last, node.head()), (Some(parent), parent));
    node.engine.database().check().unwrap();
    node.close();
}
