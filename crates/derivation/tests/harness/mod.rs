//! A network in memory: an L1 that can reorganise, a sequencer, a batcher and a verifier.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

mod batcher;
mod engine;

use std::sync::Arc;

use alloy_consensus::{Block, SignableTransaction, TxEip1559, TxLegacy};
use alloy_eips::{BlockNumHash, Encodable2718};
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use op_alloy_consensus::TxDeposit;
use openledger_chainspec::{RollupConfig, RollupGenesis, SystemConfig};
use openledger_derivation::{ChainEngine, ChainHeads, Driver, DriverConfig};
use openledger_l1::{L1Source, L1Transaction, MemoryL1};
use openledger_primitives::OpenTxEnvelope;
use openledger_protocol::{
    L1OriginData, L2BlockRef, apply_config_updates, attributes, deposits::encode_deposit_log,
};

pub use engine::MemoryEngine;

pub const PORTAL: Address = Address::repeat_byte(0x77);
pub const INBOX: Address = Address::repeat_byte(0xff);
pub const SYSTEM_CONFIG: Address = Address::repeat_byte(0x55);
pub const L2_CHAIN_ID: u64 = 424_242;
const L1_BLOCK_TIME: u64 = 12;
const GENESIS_TIME: u64 = 1_800_000_000;

pub struct World {
    pub l1: Arc<MemoryL1>,
    pub config: Arc<RollupConfig>,
    pub sequencer: MemoryEngine,
    pub verifier: Driver<MemoryEngine, Arc<MemoryL1>>,
    pub replica: MemoryEngine,
    pub batcher: PrivateKeySigner,
    pub channels: u8,
    pub nonce: u64,
}

pub fn signer(seed: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(seed)).unwrap()
}

impl World {
    pub fn new(seq_window_size: u64) -> Self {
        let l1 = Arc::new(MemoryL1::new(GENESIS_TIME, L1_BLOCK_TIME));
        let batcher = signer(1);
        let genesis_block = MemoryEngine::genesis_block(GENESIS_TIME);
        let system_config = SystemConfig {
            batcher_address: batcher.address(),
            gas_limit: 30_000_000,
            scalar: B256::with_last_byte(1)
                | B256::left_padding_from(&{
                    let mut version = [0; 32];
                    version[0] = 1;
                    version
                }),
            ..Default::default()
        };
        let zero = Some(0);
        let config = Arc::new(RollupConfig {
            genesis: RollupGenesis {
                l1: BlockNumHash { number: 0, hash: l1.tip().hash() },
                l2: BlockNumHash { number: 0, hash: genesis_block.header.hash_slow() },
                l2_time: GENESIS_TIME,
                system_config,
            },
            block_time: 2,
            max_sequencer_drift: 600,
            seq_window_size,
            channel_timeout: 300,
            granite_channel_timeout: 50,
            l1_chain_id: 900,
            l2_chain_id: L2_CHAIN_ID,
            delta_time: zero,
            fjord_time: zero,
            granite_time: zero,
            holocene_time: zero,
            isthmus_time: zero,
            batch_inbox_address: INBOX,
            deposit_contract_address: PORTAL,
            l1_system_config_address: SYSTEM_CONFIG,
            ..Default::default()
        });
        let replica = MemoryEngine::new(GENESIS_TIME);
        let verifier = Driver::new(replica.clone(), l1.clone(), config.clone(), DriverConfig::default());
        let sequencer = MemoryEngine::new(GENESIS_TIME);
        Self { l1, config, sequencer, verifier, replica, batcher, channels: 0, nonce: 0 }
    }

    /// A world with `l1_blocks` on L1 and the L2 blocks that go with them.
    pub async fn sequenced(seq_window_size: u64, l1_blocks: usize) -> Self {
        let mut world = Self::new(seq_window_size);
        world.mine_empty(l1_blocks);
        world.sequence().await;
        world
    }

    /// A verifier that starts on what `engine` has.
    pub fn verifier_on(&self, engine: MemoryEngine) -> Driver<MemoryEngine, Arc<MemoryL1>> {
        Driver::new(engine, self.l1.clone(), self.config.clone(), DriverConfig::default())
    }

    pub fn mine(&self, transactions: Vec<L1Transaction>) {
        self.l1.mine(transactions, Vec::new());
    }

    pub fn mine_empty(&self, blocks: usize) {
        (0..blocks).for_each(|_| self.mine(Vec::new()));
    }

    pub fn mine_logs(&self, logs: Vec<Log>) {
        self.l1.mine(Vec::new(), logs);
    }

    pub fn deposit_log(&self, mint: u128) -> Log {
        encode_deposit_log(PORTAL, &TxDeposit { mint, gas_limit: 100_000, ..Default::default() })
    }

    /// One L2 block with `transactions`, on the newest L1 origin that it may have.
    pub async fn sequence_block(&mut self, transactions: Vec<Bytes>) -> L2BlockRef {
        let (parent, system_config) = self.sequencer.tip(&self.config);
        let timestamp = parent.timestamp + self.config.block_time;
        let next = self.l1.canonical(parent.l1_origin.number + 1);
        let origin = match next.filter(|next| next.header.timestamp <= timestamp) {
            Some(next) => next,
            None => self.l1.canonical(parent.l1_origin.number).unwrap(),
        };
        let mut system_config: SystemConfig = system_config;
        if origin.header.number != parent.l1_origin.number {
            apply_config_updates(&mut system_config, &origin.receipts, SYSTEM_CONFIG);
        }
        let data = L1OriginData::new(origin.header, &origin.receipts, PORTAL).unwrap();
        let built = attributes::build(&self.config, &system_config, &parent, &data).unwrap();
        let built = attributes::with_transactions(built, transactions);
        self.sequencer.build_and_insert(parent.hash, built).await.unwrap();
        self.sequencer.tip(&self.config).0
    }

    /// L2 blocks up to L1's time, a transaction each.
    pub async fn sequence(&mut self) {
        let until = self.l1.tip().timestamp;
        while self.sequencer.tip(&self.config).0.timestamp < until {
            let tx = self.l2_transaction();
            self.sequence_block(vec![tx]).await;
        }
    }

    pub async fn sequence_blocks(&mut self, count: usize) {
        for _ in 0..count {
            let tx = self.l2_transaction();
            self.sequence_block(vec![tx]).await;
        }
    }

    pub fn l2_transaction(&mut self) -> Bytes {
        self.nonce += 1;
        let user = signer(9);
        let mut encoded = Vec::new();
        if self.nonce.is_multiple_of(2) {
            let tx = TxLegacy {
                chain_id: Some(L2_CHAIN_ID),
                nonce: self.nonce,
                to: TxKind::Create,
                input: vec![self.nonce as u8; 70].into(),
                ..Default::default()
            };
            let signature = user.sign_hash_sync(&tx.signature_hash()).unwrap();
            tx.into_signed(signature).encode_2718(&mut encoded);
        } else {
            let tx = TxEip1559 {
                chain_id: L2_CHAIN_ID,
                nonce: self.nonce,
                gas_limit: 21_000,
                to: TxKind::Call(Address::repeat_byte(self.nonce as u8)),
                value: U256::from(self.nonce),
                ..Default::default()
            };
            let signature = user.sign_hash_sync(&tx.signature_hash()).unwrap();
            tx.into_signed(signature).encode_2718(&mut encoded);
        }
        encoded.into()
    }

    pub fn last(&self) -> u64 {
        self.sequencer.heads().unwrap().unsafe_head.number
    }

    /// Lets the verifier read all of L1 and returns its safe head.
    pub async fn verify(&mut self) -> u64 {
        self.verifier.catch_up().await.unwrap();
        self.heads().safe.number
    }

    pub fn heads(&self) -> ChainHeads {
        self.replica.heads().unwrap()
    }

    /// The verifier's block.
    pub fn derived(&self, number: u64) -> Block<OpenTxEnvelope> {
        self.replica.block(number).unwrap().unwrap().1
    }

    /// How far the verifier's chain is the sequencer's.
    pub fn agreement(&self) -> u64 {
        let mut number = 0;
        while let (Some(a), Some(b)) =
            (self.sequencer.block(number + 1).unwrap(), self.replica.block(number + 1).unwrap())
            && a.0 == b.0
        {
            number += 1;
        }
        number
    }

    pub async fn finalized_l1(&self) -> u64 {
        self.l1.finalized().await.unwrap().unwrap().number
    }
}
