//! What storing blocks costs: `cargo bench -p openledger-storage -- ACCOUNTS BLOCKS RANGE`.
//!
//! Blocks of 30M gas full of transfers between funded accounts drawn uniformly. Processor time is that of the
//! whole process, with RocksDB's own threads.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    env, fs,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_consensus::{BlockBody, Header, Receipt, SignableTransaction, TxEip1559, TxReceipt};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Signature, TxKind, U256, keccak256};
use openledger_chainspec::ChainSpec;
use openledger_primitives::{OpenReceipt, OpenTxEnvelope, OpenTxType};
use openledger_storage::{Block, Database, NewBlock};
use revm::{
    database::{AccountStatus, BundleAccount, BundleState},
    state::AccountInfo,
};

const TRANSFERS: u64 = 1_428;

fn address(index: u64) -> Address {
    Address::from_word(keccak256(index.to_be_bytes()))
}

fn spec(accounts: u64) -> Arc<ChainSpec> {
    let json = r#"{"config": {"chainId": 7}, "gasLimit": "0x1c9c380", "difficulty": "0x0", "alloc": {}}"#;
    let mut genesis = ChainSpec::from_json(json).unwrap().genesis().clone();
    let account = GenesisAccount { balance: U256::from(10).pow(U256::from(18)), ..Default::default() };
    genesis.alloc = (0..accounts).map(|index| (address(index), account.clone())).collect();
    Arc::new(ChainSpec::from_genesis(genesis).unwrap())
}

/// A generator that needs no crate (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}

/// Nanoseconds that a thread ran.
fn ran(task: &std::path::Path) -> Duration {
    let text = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default())
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    ran("/proc/thread-self".as_ref())
}

/// Processor time of RocksDB's own threads.
fn background_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let name = |task: &std::path::PathBuf| fs::read_to_string(task.join("comm")).unwrap_or_default();
    tasks.filter(|task| name(task).starts_with("rocksdb")).map(|task| ran(&task)).sum()
}

fn disk_bytes(folder: &std::path::Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

/// Who sends what to whom, and what it changes.
fn transfers(
    random: &mut Random,
    accounts: u64,
    infos: &mut [(u64, U256)],
) -> (Block, Vec<Address>, BundleState) {
    let mut bundle = BundleState::default();
    let (mut transactions, mut senders) = (Vec::new(), Vec::new());
    for _ in 0..TRANSFERS {
        let (from, to) = (random.below(accounts), random.below(accounts));
        let value = U256::from(random.below(1 << 40));
        for index in [from, to] {
            let (nonce, balance) = &mut infos[index as usize];
            let before = AccountInfo { nonce: *nonce, balance: *balance, ..Default::default() };
            if index == from {
                *nonce += 1;
                *balance -= value;
            }
            if index == to {
                *balance += value;
            }
            let after = AccountInfo { nonce: *nonce, balance: *balance, ..Default::default() };
            let status = AccountStatus::Changed;
            bundle
                .state
                .entry(address(index))
                .or_insert_with(|| BundleAccount::new(Some(before), None, Default::default(), status))
                .info = Some(after);
        }
        let transaction = TxEip1559 {
            chain_id: 7,
            nonce: infos[from as usize].0,
            gas_limit: 21_000,
            max_fee_per_gas: 1_000_000_000,
            max_priority_fee_per_gas: 1_000_000,
            to: TxKind::Call(address(to)),
            value,
            ..Default::default()
        };
        let mut word = || U256::from_be_bytes(keccak256(random.below(u64::MAX).to_be_bytes()).0);
        let signature = Signature::new(word(), word(), false);
        transactions.push(OpenTxEnvelope::Eip1559(transaction.into_signed(signature)));
        senders.push(address(from));
    }
    let body = BlockBody { transactions, ..Default::default() };
    (Block { header: Header::default(), body }, senders, bundle)
}

fn main() {
    let mut arguments = env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let accounts = arguments.next().unwrap_or(1_000_000);
    let blocks = arguments.next().unwrap_or(200);
    let range = arguments.next().unwrap_or(16);
    let folder = tempfile::tempdir_in(env::var_os("BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let start = Instant::now();
    let spec = spec(accounts);
    println!("genesis made in {:.1?}", start.elapsed());
    let start = Instant::now();
    let db = Database::open(folder.path(), spec).unwrap();
    println!("genesis of {accounts} accounts stored in {:.1?}", start.elapsed());
    db.flush().unwrap();
    let before = disk_bytes(folder.path());

    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut infos = vec![(0, U256::from(10).pow(U256::from(18))); accounts as usize];
    let (mut updating, mut persisting) = (Duration::ZERO, Duration::ZERO);
    let (mut updating_processor, mut persisting_processor) = (Duration::ZERO, Duration::ZERO);
    let receipts: Vec<OpenReceipt> = (1..=TRANSFERS)
        .map(|index| {
            let receipt =
                Receipt { status: true.into(), cumulative_gas_used: 21_000 * index, logs: Vec::new() };
            OpenReceipt::new(OpenTxType::Eip1559, receipt.into_with_bloom())
        })
        .collect();
    let background = background_time();
    let mut state = db.state().unwrap();
    let mut pending: Vec<NewBlock> = Vec::new();
    for index in 1..=blocks {
        let (mut block, senders, bundle) = transfers(&mut random, accounts, &mut infos);
        let (start, processor) = (Instant::now(), processor_time());
        let update = state.update(&bundle).unwrap();
        updating += start.elapsed();
        updating_processor += processor_time() - processor;
        block.header = Header {
            number: state.block().number + 1,
            parent_hash: state.block().hash,
            state_root: update.state_root(),
            ..Default::default()
        };
        let hash: B256 = block.header.hash_slow();
        state = state.after((block.header.number, hash).into(), &update).unwrap();
        pending.push(NewBlock { block, hash, senders, receipts: receipts.clone(), update });
        if pending.len() as u64 == range || index == blocks {
            let (start, processor) = (Instant::now(), processor_time());
            db.persist(&pending).unwrap();
            persisting += start.elapsed();
            persisting_processor += processor_time() - processor;
            pending.clear();
            state = db.state().unwrap();
        }
    }
    let start = Instant::now();
    db.flush().unwrap();
    let flushing = start.elapsed();
    let background = background_time() - background;
    let per_block = |time: Duration| time.as_secs_f64() * 1e3 / blocks as f64;
    println!(
        "update:  {:.2} ms a block, {:.2} ms of its thread",
        per_block(updating),
        per_block(updating_processor)
    );
    println!(
        "persist: {:.2} ms a block, {:.2} ms of its thread, {:.2} ms of RocksDB's; last flush {flushing:.1?}",
        per_block(persisting),
        per_block(persisting_processor),
        per_block(background)
    );
    let stats = db.stats().unwrap();
    for column in &stats.columns {
        println!("  {:<16} {:>9} keys {:>12} bytes", column.name, column.keys, column.table_bytes);
    }
    let grown = disk_bytes(folder.path()).saturating_sub(before);
    println!("disk: {} bytes a transfer over genesis", grown / (blocks * TRANSFERS));
    let start = Instant::now();
    drop((state, db));
    println!("closed in {:.1?}", start.elapsed());
}
