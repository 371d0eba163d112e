//! Executions that do not reproduce: found, recorded, and worked around.
#![allow(clippy::unwrap_used)]

mod node;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use alloy_primitives::{Address, U256};
use alloy_rlp::Decodable;
use node::{Node, mint, signer, spec, tx};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::ChainSpec;
use openledger_engine::{
    BadBlockRecord, Block, EngineConfig, EngineError, EvmExecution, Execution, Handling, SkipReason,
    StateRead,
};
use openledger_evm::{ExecutedBlock, ExecutionError};

/// Who is paid here comes out richer by one wei in every second execution.
const LUCKY: Address = Address::repeat_byte(0xfa);

/// An EVM whose second executions are wrong, as often as `faults` says.
#[derive(Debug)]
struct Faulty {
    faults: AtomicUsize,
}

impl Execution for Faulty {
    fn execute(
        &self,
        spec: &ChainSpec,
        state: &dyn StateRead,
        block: &Block,
        senders: &[Address],
    ) -> Result<ExecutedBlock, ExecutionError> {
        let mut executed = EvmExecution.execute(spec, state, block, senders)?;
        if let Some(info) = executed.bundle.state.get_mut(&LUCKY).and_then(|account| account.info.as_mut())
            && self
                .faults
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok()
        {
            info.balance += U256::ONE;
        }
        Ok(executed)
    }
}

fn open(folder: &Path, faults: usize) -> (Node, PathBuf) {
    let records = folder.join("bad-blocks");
    let config = EngineConfig { bad_blocks: Some(records.clone()), max_bad_blocks: 3, ..Default::default() };
    (Node::open_with(folder, config, Arc::new(Faulty { faults: AtomicUsize::new(faults) })), records)
}

fn records(folder: &Path) -> Vec<BadBlockRecord> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| BadBlockRecord::from_path(&entry.unwrap().path()).unwrap()).collect()
}

#[tokio::test]
async fn a_transaction_that_does_not_reproduce_is_quarantined_and_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (node, kept) = open(folder.path(), usize::MAX);
    node.seal(vec![mint(1, 0), mint(2, 0), mint(3, 0)], vec![]).await;
    let other = Address::repeat_byte(0x77);
    let bad = tx(2, 1, LUCKY, 5, vec![]);
    let after = tx(2, 2, other, 5, vec![]);
    let pool = vec![
        tx(1, 1, other, 5, vec![]),
        tx(3, 1, other, 6, vec![]),
        bad.clone(),
        tx(1, 2, other, 7, vec![]),
        after.clone(),
        tx(3, 2, other, 8, vec![]),
    ];
    let built = node.seal(vec![], pool).await;
    assert_eq!(built.included.len(), 1 + 4);
    assert!(!built.included.contains(&bad.tx_hash()));
    let reason = |hash| built.skipped.iter().find(|skipped| skipped.hash == hash).unwrap().reason.clone();
    assert!(matches!(reason(bad.tx_hash()), SkipReason::Invalid(reason) if reason.contains("quarantined")));
    assert_eq!(reason(after.tx_hash()), SkipReason::WaitsForSender);

    let kept_now = records(&kept);
    let [record] = &kept_now[..] else { panic!("{} records", kept_now.len()) };
    assert_eq!(record.transaction, Some(bad.tx_hash()));
    assert!(record.raw_transaction.is_some());
    assert!(record.differences.iter().any(|(field, ..)| field == "account"), "{:?}", record.differences);
    // The witness alone is enough to execute the block again.
    let block = Block::decode(&mut &record.block[..]).unwrap();
    let senders = openledger_evm::recover_senders(&block, 1).unwrap();
    let again = EvmExecution.execute(&spec(), &record.witness, &block, &senders).unwrap();
    assert_eq!(again.gas_used, block.header.gas_used);
    assert!(record.witness.accounts.contains_key(&signer(2).address()));

    // It stays out, and what does reproduce goes in.
    let next = node.seal(vec![], vec![bad, tx(1, 3, other, 1, vec![])]).await;
    assert_eq!(next.included.len(), 2);
    assert_eq!(records(&kept).len(), 1);
    assert_eq!(node.head().number, 3);
    node.engine.database().check().unwrap();
    node.close();
}

#[tokio::test]
async fn several_bad_transactions_of_one_block_are_all_found_and_records_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (node, kept) = open(folder.path(), usize::MAX);
    let senders = 1..=5;
    node.seal(senders.clone().map(|index| mint(index, 0)).collect(), vec![]).await;
    let bad = senders.map(|index| tx(index, 1, LUCKY, u64::from(index), vec![]));
    let mut pool: Vec<_> = bad.collect();
    pool.insert(2, tx(6, 0, LUCKY, 0, vec![]));
    let built = node.seal(vec![mint(7, 9)], pool).await;
    assert_eq!(built.included.len(), 2, "the forced transactions alone: {:?}", built.skipped);
    assert_eq!(records(&kept).len(), 3);
    node.close();
}

#[tokio::test]
async fn a_fault_that_does_not_come_back_blames_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (node, kept) = open(folder.path(), 1);
    node.seal(vec![mint(1, 0)], vec![]).await;
    let built = node.seal(vec![], vec![tx(1, 1, LUCKY, 5, vec![])]).await;
    assert_eq!(built.included.len(), 2);
    let [record] = &records(&kept)[..] else { panic!() };
    assert_eq!(record.transaction, None);
    node.close();
}

/// Attributes whose second execution is wrong as long as there are faults.
fn forced(node: &Node) -> OpPayloadAttributes {
    let mut deposit = mint(2, 1);
    deposit.to = alloy_primitives::TxKind::Call(LUCKY);
    deposit.value = U256::ONE;
    node.attributes(vec![deposit])
}

#[tokio::test]
async fn a_forced_transaction_that_does_not_reproduce_changes_nothing_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    // Each try executes the block, looks for who is to blame, and executes it for the record: from memory first,
    // and then from the disk.
    let (node, kept) = open(folder.path(), 6);
    let first = node.seal(vec![mint(1, 0)], vec![]).await;
    let transfer = || vec![tx(1, 1, Address::repeat_byte(0x77), 5, vec![])];
    let error = node.engine.build(first.hash, forced(&node), transfer()).await.unwrap_err();
    assert!(matches!(error, EngineError::NotReproducible { .. }), "{error}");
    assert_eq!(error.handling(), Handling::Retry);
    assert_eq!(node.head(), first.id());
    assert_eq!(records(&kept).len(), 1, "it is the same block");
    // The fault is gone: nothing was left out.
    let built = node.engine.build(first.hash, forced(&node), transfer()).await.unwrap();
    assert_eq!(built.included.len(), 3, "{:?}", built.skipped);
    node.engine.insert(built.block).await.unwrap();
    node.engine.database().check().unwrap();
    node.close();
}

#[tokio::test]
async fn a_forced_transaction_that_reproduces_from_the_disk_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let (node, kept) = open(folder.path(), 2);
    let first = node.seal(vec![mint(1, 0)], vec![]).await;
    let built = node.engine.build(first.hash, forced(&node), vec![]).await.unwrap();
    assert_eq!(built.included.len(), 2);
    let [record] = &records(&kept)[..] else { panic!() };
    assert_eq!(record.transaction, None);
    node.close();
}
