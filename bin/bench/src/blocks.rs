//! Blocks to import, built once by the engine itself.

use std::{path::Path, sync::Arc, time::Duration};

use alloy_consensus::transaction::Recovered;
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B64, B256, TxKind, address};
use alloy_rpc_types_engine::PayloadAttributes;
use eyre::{OptionExt, Result, ensure};
use op_alloy_consensus::TxDeposit;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_abi::L1_BLOCK;
use openledger_engine::{BuiltBlock, Engine, EngineConfig, EngineHandle};
use openledger_storage::Database;

use crate::{
    accounts::sign,
    genesis::{BLOCK_GAS, Chain},
    workload::{Kind, Uniform},
};

/// Blocks of one kind that follow each other.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) kind: Kind,
    /// Each in RLP.
    pub(crate) blocks: Vec<Vec<u8>>,
    pub(crate) transactions: u64,
    pub(crate) gas: u64,
    /// The hash of the last block.
    pub(crate) head: B256,
}

/// For each round a segment of each kind, `blocks` blocks of about `gas` gas each. `folder` holds a database with
/// the chain's genesis.
pub(crate) async fn build(
    folder: &Path,
    chain: &Chain,
    accounts: &[Address],
    rounds: usize,
    blocks: usize,
    gas: u64,
) -> Result<Vec<Segment>> {
    let database = Database::open(folder, Arc::clone(&chain.spec))?;
    let config = EngineConfig { build_time: Duration::from_secs(600), ..Default::default() };
    let (engine, thread) = Engine::spawn(database, config)?;
    let mut uniform = Uniform::new(accounts, chain.token);
    let mut segments = Vec::new();
    for _ in 0..rounds {
        for kind in Kind::ALL {
            let mut segment = Segment { kind, blocks: Vec::new(), transactions: 0, gas: 0, head: B256::ZERO };
            for _ in 0..blocks {
                let drafts = uniform.drafts(kind, kind.per_block(gas));
                let senders: Vec<_> = drafts.iter().map(|draft| accounts[draft.from as usize]).collect();
                let signed = sign(drafts)?;
                let pool = signed.into_iter().zip(senders);
                let pool = pool.map(|(tx, sender)| Recovered::new_unchecked(tx, sender)).collect();
                let built = seal(&engine, pool).await?;
                segment.transactions += built.block.body.transactions.len() as u64 - 1;
                segment.gas += built.block.header.gas_used;
                segment.head = built.hash;
                segment.blocks.push(alloy_rlp::encode(&built.block));
            }
            segments.push(segment);
        }
    }
    drop(engine);
    ensure!(thread.join(), "the engine that builds has panicked");
    Ok(segments)
}

async fn seal(
    engine: &EngineHandle,
    pool: Vec<Recovered<openledger_primitives::OpenTxEnvelope>>,
) -> Result<BuiltBlock> {
    let database = engine.database();
    let head = database.heads().latest;
    let parent = database.header_by_number(head.number)?.ok_or_eyre("the head has no header")?;
    let count = pool.len();
    let attributes = attributes(head.hash, parent.timestamp + 2);
    let built = engine.build(head.hash, attributes, pool).await?;
    let included = built.included.len() - 1;
    let first = built.skipped.first();
    ensure!(included == count, "a block took {included} of {count} transactions; left out first: {first:?}");
    engine.insert_announced(built.block.clone(), built.hash).await?;
    Ok(built)
}

/// What a driver asks of the block after `parent`: the L1 attributes alone are forced.
pub(crate) fn attributes(parent: B256, timestamp: u64) -> OpPayloadAttributes {
    let deposit = TxDeposit {
        source_hash: parent,
        from: address!("deaddeaddeaddeaddeaddeaddeaddeaddead0001"),
        to: TxKind::Call(L1_BLOCK),
        gas_limit: 1_000_000,
        ..Default::default()
    };
    OpPayloadAttributes {
        payload_attributes: PayloadAttributes {
            timestamp,
            suggested_fee_recipient: openledger_abi::SEQUENCER_FEE_VAULT,
            withdrawals: Some(Vec::new()),
            parent_beacon_block_root: Some(B256::repeat_byte(2)),
            ..Default::default()
        },
        transactions: Some(vec![deposit.encoded_2718().into()]),
        gas_limit: Some(BLOCK_GAS),
        eip_1559_params: Some(B64::ZERO),
        ..Default::default()
    }
}
