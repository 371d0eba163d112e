//! A sequencer over a real engine and database, with an L1 in memory.
#![allow(clippy::unwrap_used)]

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use alloy_consensus::{
    Header, Receipt, ReceiptEnvelope, Sealable, Sealed, SignableTransaction, TxEip1559,
    transaction::Recovered,
};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Log, TxKind, U256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use op_alloy_consensus::TxDeposit;
use openledger_chainspec::{ChainSpec, RollupConfig, RollupGenesis, SystemConfig};
use openledger_engine::{
    Block, BuiltBlock, Engine, EngineConfig, EngineHandle, EngineThread, EvmExecution, Execution, Handling,
    StateRead,
};
use openledger_evm::{ExecutedBlock, ExecutionError};
use openledger_primitives::OpenTxEnvelope;
use openledger_protocol::{ConfigUpdate, L2BlockRef, deposits::encode_deposit_log};
use openledger_sequencer::{
    L1Source, L1SourceError, Sequencer, SequencerConfig, SequencerError, TransactionSource,
};
use openledger_storage::Database;

const START: u64 = 0x6500_0000;
const PORTAL: Address = Address::repeat_byte(0x11);
const SYSTEM_CONFIG: Address = Address::repeat_byte(0x22);
const USER: Address = Address::repeat_byte(0x33);

#[derive(Default)]
struct Blocks {
    chain: Vec<(Sealed<Header>, Vec<ReceiptEnvelope>)>,
    offline: bool,
}

/// An L1 chain with a block each 12 seconds.
#[derive(Clone, Default)]
struct MemoryL1(Arc<Mutex<Blocks>>);

impl MemoryL1 {
    fn with_genesis() -> Self {
        let l1 = Self::default();
        l1.mine(B256::ZERO, vec![]);
        l1
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap()
    }

    fn mine(&self, mix_hash: B256, logs: Vec<Log>) -> BlockNumHash {
        let mut blocks = self.blocks();
        let number = blocks.chain.len() as u64;
        let header = Header {
            number,
            parent_hash: blocks.chain.last().map(|(header, _)| header.hash()).unwrap_or_default(),
            timestamp: START + 12 * number,
            mix_hash,
            base_fee_per_gas: Some(7),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::repeat_byte(8)),
            ..Default::default()
        }
        .seal_slow();
        let id = BlockNumHash { number, hash: header.hash() };
        let receipt = Receipt { status: true.into(), cumulative_gas_used: 1, logs }.with_bloom();
        blocks.chain.push((header, vec![ReceiptEnvelope::Eip1559(receipt)]));
        id
    }
}

impl L1Source for MemoryL1 {
    async fn header(&self, number: u64) -> Result<Option<Sealed<Header>>, L1SourceError> {
        let blocks = self.blocks();
        if blocks.offline {
            return Err(L1SourceError("offline".to_owned()));
        }
        Ok(blocks.chain.get(number as usize).map(|(header, _)| header.clone()))
    }

    async fn receipts(&self, hash: B256) -> Result<Vec<ReceiptEnvelope>, L1SourceError> {
        let blocks = self.blocks();
        let found = blocks.chain.iter().find(|(header, _)| header.hash() == hash);
        let found = found.filter(|_| !blocks.offline);
        found.map(|(_, receipts)| receipts.clone()).ok_or_else(|| L1SourceError("gone".to_owned()))
    }
}

/// A pool that gives what it holds once, and remembers what it was told to remove.
#[derive(Clone, Default)]
struct MemoryPool {
    waiting: Arc<Mutex<Vec<Recovered<OpenTxEnvelope>>>>,
    removed: Arc<Mutex<Vec<B256>>>,
}

impl TransactionSource for MemoryPool {
    fn best(&self, _: u64, _: u64, max_count: usize) -> Vec<Recovered<OpenTxEnvelope>> {
        let mut best = std::mem::take(&mut *self.waiting.lock().unwrap());
        best.truncate(max_count);
        best
    }

    fn remove_invalid(&self, hash: &B256, _: &str) {
        self.removed.lock().unwrap().push(*hash);
    }

    fn on_extended(&self, _: &[B256]) {}

    fn on_lost(&self) {}

    async fn on_sealed(&self) {}
}

/// Waits for the engine's thread, so that it does not close the database while the process ends. Declared after the
/// handle, it is dropped after it.
struct EngineEnd(Option<EngineThread>);

impl Drop for EngineEnd {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            thread.join();
        }
    }
}

struct Network {
    rollup: Arc<RollupConfig>,
    engine: EngineHandle,
    _engine_end: EngineEnd,
    l1: MemoryL1,
    pool: MemoryPool,
}

impl Network {
    fn open(path: &Path, l1: MemoryL1) -> Self {
        Self::open_with(path, l1, Arc::new(EvmExecution))
    }

    fn open_with(path: &Path, l1: MemoryL1, execution: Arc<dyn Execution>) -> Self {
        let genesis = serde_json::json!({
            "config": { "chainId": 5152, "optimism": {
                "eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250
            } },
            "timestamp": format!("{START:#x}"), "gasLimit": "0x1c9c380", "difficulty": "0x0",
            "alloc": {}, "nonce": "0x0", "extraData": "0x", "mixHash": B256::ZERO,
            "coinbase": Address::ZERO, "baseFeePerGas": "0x3b9aca00"
        });
        let spec = Arc::new(ChainSpec::from_json(&genesis.to_string()).unwrap());
        let l1_genesis = l1.blocks().chain[0].0.hash();
        let rollup = Arc::new(RollupConfig {
            genesis: RollupGenesis {
                l1: BlockNumHash { number: 0, hash: l1_genesis },
                l2: BlockNumHash { number: 0, hash: spec.genesis_hash() },
                l2_time: START,
                system_config: SystemConfig { gas_limit: 30_000_000, ..Default::default() },
            },
            block_time: 2,
            isthmus_time: Some(0),
            deposit_contract_address: PORTAL,
            l1_system_config_address: SYSTEM_CONFIG,
            ..Default::default()
        });
        let database = Database::open(path, spec).unwrap();
        let (engine, thread) = Engine::spawn_with(database, EngineConfig::default(), execution).unwrap();
        Self { rollup, engine, _engine_end: EngineEnd(Some(thread)), l1, pool: MemoryPool::default() }
    }

    /// Like [`Self::open`], with second executions that are wrong where they pay [`LUCKY`], while `faulty` is set.
    fn open_faulty(path: &Path, l1: MemoryL1, faulty: Arc<AtomicBool>) -> Self {
        Self::open_with(path, l1, Arc::new(Faulty(faulty)))
    }

    fn sequencer(&self) -> Sequencer<MemoryL1, MemoryPool> {
        let (l1, pool) = (self.l1.clone(), self.pool.clone());
        let config = SequencerConfig::default();
        Sequencer::new(Arc::clone(&self.rollup), self.engine.clone(), l1, pool, config)
    }

    fn origin_of(&self, built: &BuiltBlock) -> (u64, u64) {
        let reference = L2BlockRef::from_block(&built.block, &self.rollup.genesis).unwrap();
        (reference.l1_origin.number, reference.sequence_number)
    }
}

/// Who is paid here comes out richer by one wei in a faulty second execution.
const LUCKY: Address = Address::repeat_byte(0xfa);

#[derive(Debug)]
struct Faulty(Arc<AtomicBool>);

impl Execution for Faulty {
    fn execute(
        &self,
        spec: &ChainSpec,
        state: &dyn StateRead,
        block: &Block,
        senders: &[Address],
    ) -> Result<ExecutedBlock, ExecutionError> {
        let mut executed = EvmExecution.execute(spec, state, block, senders)?;
        let lucky = executed.bundle.state.get_mut(&LUCKY).and_then(|account| account.info.as_mut());
        if let Some(info) = lucky.filter(|_| self.0.load(Ordering::SeqCst)) {
            info.balance += U256::ONE;
        }
        Ok(executed)
    }
}

fn deposit_log() -> Log {
    deposit_log_to(USER)
}

fn deposit_log_to(to: Address) -> Log {
    let deposit = TxDeposit {
        from: to,
        to: TxKind::Call(to),
        mint: 1_000_000_000_000_000_000,
        gas_limit: 50_000,
        ..Default::default()
    };
    encode_deposit_log(PORTAL, &deposit)
}

#[tokio::test]
async fn blocks_follow_l1_with_its_deposits_and_configuration_through_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let l1 = MemoryL1::with_genesis();
    l1.mine(B256::repeat_byte(1), vec![deposit_log()]);
    l1.mine(B256::repeat_byte(2), vec![ConfigUpdate::GasLimit(40_000_000).to_log(SYSTEM_CONFIG)]);
    l1.mine(B256::repeat_byte(3), vec![deposit_log(), deposit_log()]);
    let network = Network::open(folder.path(), l1);
    let mut sequencer = network.sequencer();
    for number in 1..=100_u64 {
        if number % 7 == 0 {
            sequencer = network.sequencer();
        }
        let built = sequencer.seal_next().await.unwrap();
        let (origin, sequence) = network.origin_of(&built);
        // The L1 block at 12 n seconds is the origin from the L2 block at that time on.
        assert_eq!(origin, (2 * number / 12).min(3), "block {number}");
        assert_eq!(sequence == 0, number % 6 == 0 && number <= 18, "block {number}");
        let deposits = match (origin, sequence) {
            (1, 0) => 1,
            (3, 0) => 2,
            _ => 0,
        };
        assert_eq!(built.included.len(), 1 + deposits, "block {number}");
        let gas_limit = if origin < 2 { 30_000_000 } else { 40_000_000 };
        assert_eq!(built.block.header.gas_limit, gas_limit, "block {number}");
    }
    let state = network.engine.database().state().unwrap();
    let balance = state.account(USER).unwrap().unwrap().balance;
    assert_eq!(balance, U256::from(3_000_000_000_000_000_000_u64));
}

#[tokio::test]
async fn a_block_is_built_on_one_that_is_still_being_stored() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::open(folder.path(), MemoryL1::with_genesis());
    let mut sequencer = network.sequencer();
    let mut parent = network.engine.database().heads().latest.hash;
    for number in 1..=20 {
        let built = sequencer.seal_ahead().await.unwrap();
        assert_eq!((built.block.header.number, built.block.header.parent_hash), (number, parent));
        parent = built.hash;
        assert!(sequencer.is_storing());
        assert!(network.engine.database().heads().latest.number + 1 >= number, "one ahead at most");
    }
    sequencer.settle().await.unwrap();
    assert!(!sequencer.is_storing());
    assert_eq!(network.engine.database().heads().latest.hash, parent);
    // Somebody else takes a block back: the next try starts from the head that is left.
    let ancestor = network.engine.database().hash_of(19).unwrap().unwrap();
    network.engine.reorg_to(BlockNumHash { number: 19, hash: ancestor }).await.unwrap();
    assert_eq!(sequencer.seal_next().await.unwrap_err().handling(), Handling::Retry);
    assert_eq!(sequencer.seal_next().await.unwrap().block.header.parent_hash, ancestor);
}

#[tokio::test]
async fn blocks_go_on_while_l1_is_away_until_the_drift_is_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::open(folder.path(), MemoryL1::with_genesis());
    let mut sequencer = network.sequencer();
    sequencer.seal_next().await.unwrap();
    network.l1.blocks().offline = true;
    for _ in 1..900 {
        sequencer.seal_next().await.unwrap();
    }
    // 1,800 seconds after the origin.
    let error = sequencer.seal_next().await.unwrap_err();
    assert!(matches!(error, SequencerError::Origin(_)), "{error}");
    assert_eq!(error.handling(), Handling::Retry);
    network.l1.blocks().offline = false;
    for _ in 1..=150 {
        network.l1.mine(B256::repeat_byte(1), vec![]);
    }
    for expected in 1..=20 {
        let built = sequencer.seal_next().await.unwrap();
        assert_eq!(network.origin_of(&built), (expected, 0), "catches up one origin a block");
    }
}

#[tokio::test]
async fn deposits_that_do_not_reproduce_hold_their_epoch_back_and_not_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let l1 = MemoryL1::with_genesis();
    l1.mine(B256::repeat_byte(1), vec![deposit_log_to(LUCKY)]);
    l1.mine(B256::repeat_byte(2), vec![]);
    let faulty = Arc::new(AtomicBool::new(true));
    let network = Network::open_faulty(folder.path(), l1, Arc::clone(&faulty));
    let mut sequencer = network.sequencer();
    let mut refusals = Vec::new();
    for number in 1..=60_u64 {
        let built = match sequencer.seal_next().await {
            Ok(built) => built,
            Err(error) => {
                assert_eq!(error.handling(), Handling::Retry, "{error}");
                refusals.push(number);
                sequencer.seal_next().await.unwrap()
            }
        };
        assert_eq!((built.block.header.number, network.origin_of(&built).0), (number, 0));
    }
    // The L1 block is due with the sixth block, and tried again every 16 blocks.
    assert_eq!(refusals, [6, 22, 38, 54]);
    faulty.store(false, Ordering::SeqCst);
    let mut origins = Vec::new();
    for _ in 61..=71 {
        origins.push(network.origin_of(&sequencer.seal_next().await.unwrap()));
    }
    assert_eq!(origins[8..], [(0, 69), (1, 0), (2, 0)]);
    let state = network.engine.database().state().unwrap();
    let balance = state.account(LUCKY).unwrap().unwrap().balance;
    assert_eq!(balance, U256::from(1_000_000_000_000_000_000_u64), "the deposit came late, and once");
    // Past the drift nothing but the deposits' epoch is allowed: no block, and the sequencer goes on asking.
    faulty.store(true, Ordering::SeqCst);
    for _ in 3..=200 {
        network.l1.mine(B256::repeat_byte(3), vec![deposit_log_to(LUCKY)]);
    }
    for _ in 0..2_000 {
        if sequencer.seal_next().await.is_err() && sequencer.seal_next().await.is_err() {
            break;
        }
    }
    let head = network.engine.database().heads().latest;
    assert_eq!(sequencer.seal_next().await.unwrap_err().handling(), Handling::Retry);
    assert_eq!(network.engine.database().heads().latest, head);
    assert!(head.number > 71 + 800, "{}", head.number);
    faulty.store(false, Ordering::SeqCst);
    let origin = network.origin_of(&sequencer.seal_next().await.unwrap());
    assert_eq!(origin, (3, 0));
}

#[tokio::test]
async fn when_l1_reorganises_the_chain_goes_back_to_where_they_agree() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::open(folder.path(), MemoryL1::with_genesis());
    network.l1.mine(B256::repeat_byte(1), vec![]);
    network.l1.mine(B256::repeat_byte(2), vec![]);
    let mut sequencer = network.sequencer();
    for _ in 0..14 {
        sequencer.seal_next().await.unwrap();
    }
    network.l1.blocks().chain.pop();
    network.l1.mine(B256::repeat_byte(9), vec![deposit_log()]);
    network.l1.mine(B256::repeat_byte(3), vec![]);
    let error = sequencer.seal_next().await.unwrap_err();
    assert_eq!(error.handling(), Handling::Reset, "{error}");
    sequencer.reset().await.unwrap();
    assert_eq!(network.engine.database().heads().latest.number, 11);
    let built = sequencer.seal_next().await.unwrap();
    assert_eq!(network.origin_of(&built), (2, 0));
    assert_eq!(built.included.len(), 2, "with the deposit of the new L1 block");
}

#[tokio::test]
async fn transactions_are_included_and_invalid_ones_leave_the_pool() {
    let folder = tempfile::tempdir().unwrap();
    let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(5)).unwrap();
    let network = Network::open(folder.path(), MemoryL1::with_genesis());
    let deposit = TxDeposit {
        from: signer.address(),
        to: TxKind::Call(USER),
        mint: 1_000_000_000_000_000_000,
        gas_limit: 50_000,
        ..Default::default()
    };
    network.l1.mine(B256::repeat_byte(1), vec![encode_deposit_log(PORTAL, &deposit)]);
    let mut sequencer = network.sequencer();
    for _ in 0..6 {
        sequencer.seal_next().await.unwrap();
    }
    let transfer = |nonce| {
        let tx = TxEip1559 {
            chain_id: 5152,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 2_000_000_000,
            to: TxKind::Call(USER),
            value: U256::from(3),
            ..Default::default()
        };
        let signature = signer.sign_hash_sync(&tx.signature_hash()).unwrap();
        let tx = OpenTxEnvelope::Eip1559(tx.into_signed(signature));
        Recovered::new_unchecked(tx, signer.address())
    };
    // The deposit was nonce 0.
    let (good, bad) = (transfer(1), transfer(0));
    *network.pool.waiting.lock().unwrap() = vec![good.clone(), bad.clone()];
    let built = sequencer.seal_next().await.unwrap();
    assert_eq!(built.included[1..], [good.tx_hash()]);
    assert_eq!(*network.pool.removed.lock().unwrap(), [bad.tx_hash()]);
}
