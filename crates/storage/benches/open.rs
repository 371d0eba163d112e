//! How long a start takes after many blocks: `cargo bench -p openledger-storage --bench open -- BLOCKS`.
//!
//! After an ordinary end, and after a crash with all that the log can hold; and the memory that storing took.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    env, fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_consensus::{BlockBody, Header, Receipt, TxReceipt};
use alloy_primitives::{Address, U256, keccak256};
use op_alloy_consensus::{OpDepositReceipt, TxDeposit};
use openledger_chainspec::ChainSpec;
use openledger_primitives::{OpenReceipt, OpenTxEnvelope};
use openledger_storage::{Block, Database, NewBlock};
use revm::{
    database::{AccountStatus, BundleAccount, BundleState},
    state::AccountInfo,
};

const RANGE: u64 = 200;
const ACCOUNTS: u64 = 5_000;
const CHANGES: u64 = 20;

fn address(index: u64) -> Address {
    Address::from_word(keccak256(index.to_be_bytes()))
}

/// Memory of this process that is not files, in MiB.
fn memory_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn open(folder: &Path, spec: &Arc<ChainSpec>) -> (Database, Duration) {
    let start = Instant::now();
    let db = Database::open(folder, Arc::clone(spec)).unwrap();
    (db, start.elapsed())
}

fn main() {
    let blocks = env::args().skip(1).find_map(|argument| argument.parse::<u64>().ok()).unwrap_or(100_000);
    let base = env::var_os("BENCH_DIR").unwrap_or_else(|| ".".into());
    let folder = tempfile::tempdir_in(&base).unwrap();
    let json = r#"{"config": {"chainId": 7}, "gasLimit": "0x1c9c380", "difficulty": "0x0", "alloc": {}}"#;
    let spec = Arc::new(ChainSpec::from_json(json).unwrap());
    let (db, _) = open(folder.path(), &spec);
    let receipt = OpDepositReceipt {
        inner: Receipt { status: true.into(), cumulative_gas_used: 21_000, logs: Vec::new() },
        deposit_nonce: Some(1),
        deposit_receipt_version: Some(1),
    };
    let receipt = OpenReceipt::deposit(receipt.into_with_bloom());
    let mut infos: Vec<Option<AccountInfo>> = vec![None; ACCOUNTS as usize];
    let (mut state, mut pending, mut peak_mib) = (db.state().unwrap(), Vec::new(), 0);
    for number in 1..=blocks {
        let mut bundle = BundleState::default();
        for change in 0..CHANGES {
            let index = (number * 7919 + change * 104_729) % ACCOUNTS;
            let before = infos[index as usize].clone();
            let after = AccountInfo { balance: U256::from(number), nonce: number, ..Default::default() };
            infos[index as usize] = Some(after.clone());
            let account = BundleAccount::new(before, Some(after), Default::default(), AccountStatus::Changed);
            bundle.state.insert(address(index), account);
        }
        let update = state.update(&bundle).unwrap();
        let deposit = TxDeposit { mint: number.into(), ..Default::default() };
        let body = BlockBody { transactions: vec![OpenTxEnvelope::from(deposit)], ..Default::default() };
        let header = Header {
            number,
            parent_hash: state.block().hash,
            state_root: update.state_root(),
            ..Default::default()
        };
        let hash = header.hash_slow();
        state = state.after((number, hash).into(), &update).unwrap();
        let (senders, receipts) = (vec![address(0)], vec![receipt.clone()]);
        pending.push(NewBlock { block: Block { header, body }, hash, senders, receipts, update });
        if number % RANGE == 0 || number == blocks {
            db.persist(&pending).unwrap();
            pending.clear();
            state = db.state().unwrap();
            peak_mib = peak_mib.max(memory_mib());
        }
    }
    println!("memory while storing {blocks} blocks: at most {peak_mib} MiB");
    let crashed = tempfile::tempdir_in(&base).unwrap();
    copy(folder.path(), crashed.path());
    drop((state, db));
    let (db, took) = open(folder.path(), &spec);
    println!("open.after_end_s: {:.3}", took.as_secs_f64());
    assert_eq!((db.heads().latest.number, db.lost()), (blocks, None));
    drop(db);
    let (db, took) = open(crashed.path(), &spec);
    println!("open.after_crash_s: {:.3}", took.as_secs_f64());
    assert_eq!((db.heads().latest.number, db.lost()), (blocks, None));
    let start = Instant::now();
    let report = db.check().unwrap();
    println!("check: {} accounts, {} nodes in {:.1?}", report.accounts, report.nodes, start.elapsed());
    let start = Instant::now();
    let number = blocks - 1_000.min(blocks);
    db.proof_at(number, address(0), &[]).unwrap();
    println!("proof {} blocks back: {:.1?}", blocks - number, start.elapsed());
}
