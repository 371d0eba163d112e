//! Random orders of building, inserting, reorganising, restarting: the builder, an importer, a verifier
//! and the state after taking blocks back are always the same.
#![allow(clippy::unwrap_used)]

mod node;

use std::{collections::HashMap, path::Path, sync::Arc};

use alloy_consensus::transaction::Recovered;
use alloy_primitives::{Address, B256};
use alloy_sol_types::SolCall;
use node::{Node, create_datanet, limited, mint, signer, tx};
use openledger_abi::{ATTRIBUTION, IAttribution, IPayouts, PAYOUTS};
use openledger_engine::{Block, EngineConfig, EvmExecution, Forkchoice, ForkchoiceStatus, PayloadStatus};
use openledger_primitives::OpenTxEnvelope;
use proptest::prelude::*;

/// A transaction of the pool, by what becomes of it.
#[derive(Debug, Clone, Copy)]
enum Intent {
    Transfer(u8),
    Datanet,
    Bond,
    Reverts,
    OutOfGas,
    WrongNonce,
    TooPoor,
}

/// How a block that was built gets onto the chain.
#[derive(Debug, Clone, Copy)]
enum Way {
    Insert,
    Extend,
    Import,
    Forkchoice,
}

#[derive(Debug, Clone)]
enum Step {
    Block {
        intents: Vec<(u8, Intent)>,
        way: Way,
    },
    /// Takes back this many blocks.
    Back(usize),
    /// Chooses the tip of a branch that was taken back, if the engine still knows it.
    Return(usize),
    /// Marks the block this far below the head as safe.
    Safe(usize),
    Restart,
}

fn intent() -> impl Strategy<Value = Intent> {
    prop_oneof![
        4 => any::<u8>().prop_map(Intent::Transfer),
        2 => Just(Intent::Datanet),
        1 => Just(Intent::Bond),
        1 => Just(Intent::Reverts),
        1 => Just(Intent::OutOfGas),
        1 => Just(Intent::WrongNonce),
        1 => Just(Intent::TooPoor),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let way = prop_oneof![Just(Way::Insert), Just(Way::Extend), Just(Way::Import), Just(Way::Forkchoice)];
    let block = (prop::collection::vec((1..=3_u8, intent()), 0..6), way)
        .prop_map(|(intents, way)| Step::Block { intents, way });
    prop_oneof![
        10 => block,
        2 => (1..5_usize).prop_map(Step::Back),
        2 => any::<usize>().prop_map(Step::Return),
        1 => (0..4_usize).prop_map(Step::Safe),
        1 => Just(Step::Restart),
    ]
}

fn open(path: &Path, cache_entries: usize) -> Node {
    let config = EngineConfig {
        cache_entries,
        backlog_blocks: 2,
        group_blocks: 2,
        memory_blocks: 12,
        ..Default::default()
    };
    Node::open_with(path, config, Arc::new(EvmExecution))
}

/// The pool's transactions, with nonces from the state as it is and counted on.
fn pool(node: &Node, intents: &[(u8, Intent)]) -> Vec<Recovered<OpenTxEnvelope>> {
    let state = node.engine.database().state().unwrap();
    let mut nonces: HashMap<u8, u64> = HashMap::new();
    let mut pool = Vec::new();
    for (index, intent) in intents {
        let nonce = nonces.entry(*index).or_insert_with(|| {
            state.account(signer(*index).address()).unwrap().map_or(0, |account| account.nonce)
        });
        let (transaction, counts) = match intent {
            Intent::Transfer(to) => (tx(*index, *nonce, Address::repeat_byte(*to), 5, vec![]), true),
            Intent::Datanet => (create_datanet(*index, *nonce), true),
            Intent::Bond => {
                (tx(*index, *nonce, ATTRIBUTION, 9, IAttribution::bondCall {}.abi_encode()), true)
            }
            Intent::Reverts => {
                let call = IPayouts::refundCall { requestId: B256::ZERO };
                (tx(*index, *nonce, PAYOUTS, 0, call.abi_encode()), true)
            }
            Intent::OutOfGas => (limited(create_datanet(*index, *nonce), 30_000), true),
            Intent::WrongNonce => (tx(*index, *nonce + 7, Address::ZERO, 1, vec![]), false),
            Intent::TooPoor => (tx(9, 0, Address::ZERO, 1, vec![]), false),
        };
        pool.push(transaction);
        *nonce += u64::from(counts);
    }
    pool
}

async fn run(steps: Vec<Step>, cache_entries: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path(), cache_entries);
    // What the chain must be: blocks after genesis, and all that were ever taken back.
    let mut model: Vec<Block> = Vec::new();
    let mut dropped: Vec<Vec<Block>> = Vec::new();
    let mut finalized = 0_usize;
    for (salt, step) in (0_u64..).zip(steps) {
        match step {
            Step::Block { intents, way } => {
                let deposits = (1..=3).map(|index| mint(index, salt * 10 + u64::from(index))).collect();
                let pool = pool(&node, &intents);
                let built = node.build(deposits, pool).await;
                let (block, id) = (built.block.clone(), built.id());
                match way {
                    Way::Insert => assert_eq!(node.engine.insert(block.clone()).await.unwrap(), id),
                    Way::Extend => {
                        let durable = node.engine.extend(block.clone(), id.hash).await.unwrap();
                        assert_eq!(durable.await.unwrap(), id);
                    }
                    Way::Import => {
                        let imported = node.engine.insert_range(vec![block.clone()]).await.unwrap();
                        assert_eq!((imported.head, imported.blocks), (id, 1));
                    }
                    Way::Forkchoice => {
                        let status = node.engine.new_payload(block.clone(), id.hash).await.unwrap();
                        assert_eq!(status, PayloadStatus::Valid(id));
                        choose(&node, id.hash).await;
                    }
                }
                let receipts = node.engine.database().receipts_of(id.number).unwrap().unwrap();
                assert_eq!(receipts.last().unwrap().cumulative_gas_used(), block.header.gas_used);
                model.push(block);
            }
            Step::Back(count) => {
                let to = model.len().saturating_sub(count).max(finalized);
                if to == model.len() {
                    continue;
                }
                let ancestor = at(&node, &model, to);
                node.engine.reorg_to(ancestor).await.unwrap();
                let taken_back = model.split_off(to);
                dropped.push([model.clone(), taken_back].concat());
            }
            Step::Return(which) => {
                let Some(branch) = dropped.get(which % dropped.len().max(1)).cloned() else { continue };
                let common = model.iter().zip(&branch).take_while(|(one, other)| one == other).count();
                if common < finalized {
                    continue;
                }
                let tip = branch.last().unwrap().header.hash_slow();
                let status = choose(&node, tip).await;
                if status != ForkchoiceStatus::Syncing {
                    if common < model.len() {
                        dropped.push(model.clone());
                    }
                    model = branch;
                }
            }
            Step::Safe(below) => {
                let number = model.len().saturating_sub(below).max(finalized);
                let block = at(&node, &model, number);
                node.engine.set_safe(block).await.unwrap();
                if below == 3 {
                    node.engine.set_finalized(block).await.unwrap();
                    finalized = number;
                }
            }
            Step::Restart => {
                node.close();
                node = open(folder.path(), cache_entries);
            }
        }
        let head = at(&node, &model, model.len());
        assert_eq!(node.head(), head, "after {salt}");
        let root = model.last().map(|block| block.header.state_root);
        assert_eq!(node.root(), root.unwrap_or_else(|| node::spec().genesis_header().state_root));
    }
    node.engine.database().check().unwrap();
    for (number, block) in (1..).zip(&model) {
        assert_eq!(node.engine.database().block_by_number(number).unwrap().as_ref(), Some(block));
    }
    node.close();

    // An importer in one go, and a verifier block by block.
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (importer, verifier) = (open(one.path(), 1_000), open(two.path(), 0));
    importer.engine.insert_range(model.clone()).await.unwrap();
    for block in model {
        let number = block.header.number;
        let root = block.header.state_root;
        verifier.engine.insert(block).await.unwrap();
        assert_eq!(verifier.root(), root);
        assert_eq!(importer.engine.database().state_at(number).unwrap().state_root(), root);
    }
    assert_eq!(importer.root(), verifier.root());
    assert_eq!(importer.engine.database().check().unwrap(), verifier.engine.database().check().unwrap());
    importer.close();
    verifier.close();
}

/// The block of the model with this number.
fn at(node: &Node, model: &[Block], number: usize) -> alloy_eips::BlockNumHash {
    let hash = match number.checked_sub(1) {
        Some(index) => model[index].header.hash_slow(),
        None => node.engine.database().spec().genesis_hash(),
    };
    alloy_eips::BlockNumHash { number: number as u64, hash }
}

async fn choose(node: &Node, head: B256) -> ForkchoiceStatus {
    let update = Forkchoice { head, safe: B256::ZERO, finalized: B256::ZERO };
    let status = node.engine.forkchoice(update).await.unwrap();
    assert!(!matches!(status, ForkchoiceStatus::Invalid { .. }), "{status:?}");
    status
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn builder_importer_verifier_and_the_state_after_reorganisations_agree(
        steps in prop::collection::vec(step(), 1..24),
        cache_entries in prop_oneof![Just(0_usize), Just(25), Just(100_000)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps, cache_entries));
    }
}
