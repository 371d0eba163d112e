//! Importing many blocks at once.
#![allow(clippy::unwrap_used)]

mod node;

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use node::{Node, create_datanet, mint, tx};
use openledger_engine::{Block, EngineConfig, EngineError, EvmExecution};

/// What is done to a block, and what the refusal must name.
type Tamper = (&'static str, fn(&mut Block));

async fn chain(length: u64) -> (Vec<Block>, Vec<B256>) {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    let mut blocks = vec![node.seal(vec![mint(1, 0), mint(2, 0), mint(3, 0)], vec![]).await.block];
    for number in 0..length - 1 {
        let pool = vec![
            create_datanet(1, number + 1),
            tx(2, number + 1, Address::with_last_byte(number as u8), 7, vec![]),
            tx(3, number + 1, Address::with_last_byte(1), 9, vec![]),
        ];
        let built = node.seal(vec![], pool).await;
        assert_eq!(built.included.len(), 4, "{:?}", built.skipped);
        blocks.push(built.block);
    }
    let roots = blocks.iter().map(|block| block.header.state_root).collect();
    node.close();
    (blocks, roots)
}

fn small(cache_entries: usize) -> EngineConfig {
    EngineConfig { cache_entries, backlog_blocks: 2, group_blocks: 3, memory_blocks: 4, ..Default::default() }
}

#[tokio::test]
async fn an_imported_chain_is_the_one_that_was_built() {
    let (blocks, roots) = chain(170).await;
    for config in [EngineConfig::default(), small(0), small(40)] {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::open_with(folder.path(), config, Arc::new(EvmExecution));
        // More than are stored in one write, or in two.
        let imported = node.engine.insert_range(blocks[..150].to_vec()).await.unwrap();
        assert_eq!((imported.blocks, imported.head.number), (150, 150));
        assert_eq!(imported.transactions, 3 + 1 + 149 * 4);
        assert_eq!(node.root(), roots[149]);
        // Overlapping the chain, and going on with single blocks after it.
        let imported = node.engine.insert_range(blocks[140..160].to_vec()).await.unwrap();
        assert_eq!((imported.blocks, imported.head.number), (10, 160));
        for block in &blocks[160..] {
            node.engine.insert(block.clone()).await.unwrap();
        }
        assert_eq!((node.head().number, node.root()), (170, roots[169]));
        node.engine.database().check().unwrap();
        for (index, block) in blocks.iter().enumerate() {
            let stored = node.engine.database().block_by_number(index as u64 + 1).unwrap().unwrap();
            assert_eq!(stored, *block);
            let receipts = node.engine.database().receipts_of(index as u64 + 1).unwrap().unwrap();
            assert_eq!(receipts.len(), block.body.transactions.len());
        }
        node.close();
    }
}

#[tokio::test]
async fn a_wrong_block_stops_an_import_and_those_before_it_stay() {
    let (blocks, roots) = chain(30).await;
    let tamper: [Tamper; 4] = [
        ("stateRoot", |block| block.header.state_root = B256::ZERO),
        ("receiptsRoot", |block| block.header.receipts_root = B256::ZERO),
        ("transactionsRoot", |block| drop(block.body.transactions.pop())),
        ("parent", |block| block.header.parent_hash = B256::ZERO),
    ];
    for (name, change) in tamper {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().join("bad-blocks");
        let config = EngineConfig { bad_blocks: Some(records.clone()), ..Default::default() };
        let node = Node::open_with(folder.path(), config, Arc::new(EvmExecution));
        let mut some = blocks.clone();
        change(&mut some[20]);
        let error = node.engine.insert_range(some).await.unwrap_err();
        assert!(error.to_string().contains(name), "{name}: {error}");
        assert!(matches!(error, EngineError::Invalid(_) | EngineError::NotOnHead { .. }));
        assert_eq!((node.head().number, node.root()), (20, roots[19]), "{name}");
        let kept = std::fs::read_dir(&records).map_or(0, Iterator::count);
        assert_eq!(kept, usize::from(name == "stateRoot" || name == "receiptsRoot"), "{name}");
        // The right ones go on from there.
        node.engine.insert_range(blocks[20..].to_vec()).await.unwrap();
        assert_eq!(node.root(), roots[29]);
        node.engine.database().check().unwrap();
        node.close();
    }
}
