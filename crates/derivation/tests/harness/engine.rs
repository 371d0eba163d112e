//! An engine without execution: a block is what its attributes say, if its transactions are signed.

use std::sync::{Arc, Mutex};

use alloy_consensus::{Block, BlockBody, Header, transaction::SignerRecoverable};
use alloy_eips::{BlockNumHash, Decodable2718};
use alloy_primitives::{B256, keccak256};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::{RollupConfig, SystemConfig};
use openledger_derivation::{BuildOutcome, ChainEngine, ChainHeads, EngineFailure, Reaction};
use openledger_primitives::OpenTxEnvelope;
use openledger_protocol::{L1Info, L2BlockRef, system_config_of_l2_block};

type OpBlock = Block<OpenTxEnvelope>;

#[derive(Clone, Debug)]
pub struct MemoryEngine(Arc<Mutex<State>>);

#[derive(Clone, Debug)]
struct State {
    blocks: Vec<(B256, OpBlock)>,
    safe: u64,
    finalized: u64,
    reorgs: u64,
    built: u64,
}

fn failure(reason: &str) -> EngineFailure {
    EngineFailure { reason: reason.to_owned(), reaction: Reaction::Reset }
}

impl State {
    fn id(&self, number: u64) -> BlockNumHash {
        BlockNumHash { number, hash: self.blocks[number as usize].0 }
    }

    fn check(&self, block: BlockNumHash) -> Result<(), EngineFailure> {
        let known = self.blocks.get(block.number as usize).is_some_and(|b| b.0 == block.hash);
        known.then_some(()).ok_or_else(|| failure("not on this chain"))
    }
}

impl MemoryEngine {
    pub fn genesis_block(timestamp: u64) -> OpBlock {
        let header = Header { timestamp, gas_limit: 30_000_000, ..Default::default() };
        Block { header, body: BlockBody::default() }
    }

    pub fn new(timestamp: u64) -> Self {
        let genesis = Self::genesis_block(timestamp);
        let blocks = vec![(genesis.header.hash_slow(), genesis)];
        Self(Arc::new(Mutex::new(State { blocks, safe: 0, finalized: 0, reorgs: 0, built: 0 })))
    }

    /// A second engine with the same blocks.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }

    pub fn tip(&self, config: &RollupConfig) -> (L2BlockRef, SystemConfig) {
        let state = self.0.lock().unwrap();
        let (_, block) = state.blocks.last().unwrap();
        let block_ref = L2BlockRef::from_block(block, &config.genesis).unwrap();
        let system_config = match block.body.transactions.first() {
            Some(OpenTxEnvelope::Deposit(deposit)) => {
                system_config_of_l2_block(&L1Info::decode(&deposit.input).unwrap(), &block.header)
            }
            _ => config.genesis.system_config,
        };
        (block_ref, system_config)
    }

    pub fn reorgs(&self) -> u64 {
        self.0.lock().unwrap().reorgs
    }

    pub fn built(&self) -> u64 {
        self.0.lock().unwrap().built
    }
}

impl ChainEngine for MemoryEngine {
    fn heads(&self) -> Result<ChainHeads, EngineFailure> {
        let state = self.0.lock().unwrap();
        Ok(ChainHeads {
            unsafe_head: state.id(state.blocks.len() as u64 - 1),
            safe: state.id(state.safe),
            finalized: state.id(state.finalized),
        })
    }

    fn block(&self, number: u64) -> Result<Option<(B256, OpBlock)>, EngineFailure> {
        Ok(self.0.lock().unwrap().blocks.get(number as usize).cloned())
    }

    async fn build_and_insert(
        &self,
        parent: B256,
        attributes: OpPayloadAttributes,
    ) -> Result<BuildOutcome, EngineFailure> {
        let mut state = self.0.lock().unwrap();
        let (head, head_block) = state.blocks.last().unwrap();
        if *head != parent {
            return Err(failure("not on the head"));
        }
        let mut transactions = Vec::new();
        let encoded = attributes.transactions.unwrap_or_default();
        for bytes in &encoded {
            match OpenTxEnvelope::decode_2718_exact(bytes) {
                Ok(tx) if tx.is_deposit() || tx.recover_signer().is_ok() => transactions.push(tx),
                _ => return Ok(BuildOutcome::Invalid("unreadable transaction".into())),
            }
        }
        let payload = attributes.payload_attributes;
        let params = attributes.eip_1559_params.unwrap_or_default();
        let header = Header {
            parent_hash: parent,
            number: head_block.header.number + 1,
            timestamp: payload.timestamp,
            mix_hash: payload.prev_randao,
            beneficiary: payload.suggested_fee_recipient,
            parent_beacon_block_root: payload.parent_beacon_block_root,
            gas_limit: attributes.gas_limit.unwrap(),
            extra_data: [&[0][..], params.as_slice()].concat().into(),
            transactions_root: keccak256(encoded.concat()),
            ..Default::default()
        };
        let hash = header.hash_slow();
        let body = BlockBody { transactions, ..Default::default() };
        let block = Block { header, body };
        state.blocks.push((hash, block.clone()));
        state.built += 1;
        Ok(BuildOutcome::Inserted { hash, block: Box::new(block) })
    }

    async fn reorg_to(&self, ancestor: BlockNumHash) -> Result<(), EngineFailure> {
        let mut state = self.0.lock().unwrap();
        state.check(ancestor)?;
        assert!(ancestor.number >= state.finalized, "finalized blocks are never taken back");
        state.blocks.truncate(ancestor.number as usize + 1);
        state.safe = state.safe.min(ancestor.number);
        state.reorgs += 1;
        Ok(())
    }

    async fn set_safe(&self, block: BlockNumHash) -> Result<(), EngineFailure> {
        let mut state = self.0.lock().unwrap();
        state.check(block)?;
        state.safe = block.number;
        Ok(())
    }

    async fn set_finalized(&self, block: BlockNumHash) -> Result<(), EngineFailure> {
        let mut state = self.0.lock().unwrap();
        state.check(block)?;
        assert!(block.number <= state.safe && block.number >= state.finalized);
        state.finalized = block.number;
        Ok(())
    }
}
