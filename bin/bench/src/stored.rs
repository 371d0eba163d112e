//! What sealing adds on a stored state, and how long a start takes after many blocks.

use std::{path::Path, sync::Arc, time::Instant};

use alloy_consensus::{BlockBody, Header};
use alloy_primitives::{Address, B256, U256};
use eyre::{Result, ensure};
use openledger_chainspec::ChainSpec;
use openledger_figures::{Figures, median};
use openledger_storage::{Block, Database, KnownStorageRoots, NewBlock};
use openledger_trie::EMPTY_ROOT_HASH;
use revm::{
    database::{AccountStatus, BundleAccount, BundleState},
    state::AccountInfo,
};

use crate::{
    accounts::Random,
    genesis::chain,
    import::{copy, funded},
};

/// Blocks that are stored in one write.
const RANGE: u64 = 200;
/// Accounts that a block changes.
const CHANGES: u64 = 20;
const OPEN_ACCOUNTS: u64 = 5_000;

/// Balances that change, as execution hands them over.
fn bundle(random: &mut Random, accounts: &[Address], infos: &mut [AccountInfo], changes: u64) -> BundleState {
    let mut bundle = BundleState::default();
    while (bundle.state.len() as u64) < changes {
        let index = random.below(accounts.len() as u64) as usize;
        if bundle.state.contains_key(&accounts[index]) {
            continue;
        }
        let before = infos[index].clone();
        infos[index].nonce += 1;
        let (after, none) = (Some(infos[index].clone()), Default::default());
        let account = BundleAccount::new(Some(before), after, none, AccountStatus::Changed);
        bundle.state.insert(accounts[index], account);
    }
    bundle
}

fn infos(spec: &ChainSpec, accounts: &[Address]) -> Vec<AccountInfo> {
    let alloc = &spec.genesis().alloc;
    let balance = |account: &Address| alloc.get(account).map_or(U256::ZERO, |account| account.balance);
    accounts.iter().map(|account| AccountInfo { balance: balance(account), ..Default::default() }).collect()
}

fn block(parent: &Header, bundle_root: B256) -> Block {
    let header = Header {
        number: parent.number + 1,
        parent_hash: parent.hash_slow(),
        state_root: bundle_root,
        ..Default::default()
    };
    Block { header, body: BlockBody::default() }
}

/// The accounts of this measurement have no storage.
struct WithoutStorage;

impl KnownStorageRoots for WithoutStorage {
    fn storage_root(&self, _: Address) -> Option<B256> {
        Some(EMPTY_ROOT_HASH)
    }
}

/// State root and changed nodes of a block that changes many accounts, over a stored state.
pub(crate) fn seal(
    accounts: u64,
    changes: u64,
    rounds: usize,
    base: &Path,
    results: &mut Figures,
) -> Result<()> {
    let folder = tempfile::tempdir_in(base)?;
    let (accounts, chain) = funded(accounts)?;
    let database = Database::open(folder.path(), Arc::clone(&chain.spec))?;
    let (mut random, mut infos) = (Random(31), infos(&chain.spec, &accounts));
    let mut parent = chain.spec.genesis_header().clone();
    let mut times = Vec::new();
    for _ in 0..rounds.max(1) * 3 + 1 {
        let bundle = bundle(&mut random, &accounts, &mut infos, changes);
        let state = database.state()?;
        let start = Instant::now();
        // As the engine does it: execution has read the accounts, and knows their storage roots.
        let update = state.update_knowing(&bundle, &WithoutStorage)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        let block = block(&parent, update.state_root());
        parent = block.header.clone();
        let new =
            NewBlock { hash: block.header.hash_slow(), block, senders: vec![], receipts: vec![], update };
        database.persist(&[new])?;
    }
    results.set("seal.10k_of_1m_first_ms", times[0]);
    // Blocks follow each other: after the first one the trie's upper branches are in memory.
    results.set("seal.10k_of_1m_ms", median(&times[1..]));
    Ok(())
}

/// A start after many blocks: after an ordinary end, and on a copy made while the node ran, as a crash leaves it.
pub(crate) fn open(blocks: u64, rounds: usize, base: &Path, results: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(base)?;
    let accounts = crate::accounts::addresses(OPEN_ACCOUNTS);
    let chain = chain(&accounts)?;
    let datadir = folder.path().join("chain");
    let database = Database::open(&datadir, Arc::clone(&chain.spec))?;
    let (mut random, mut infos) = (Random(37), infos(&chain.spec, &accounts));
    let (mut state, mut pending) = (database.state()?, Vec::new());
    let mut parent = chain.spec.genesis_header().clone();
    for number in 1..=blocks {
        let bundle = bundle(&mut random, &accounts, &mut infos, CHANGES);
        let update = state.update(&bundle)?;
        let block = block(&parent, update.state_root());
        parent = block.header.clone();
        let hash = parent.hash_slow();
        state = state.after((number, hash).into(), &update)?;
        pending.push(NewBlock { block, hash, senders: vec![], receipts: vec![], update });
        if number % RANGE == 0 || number == blocks {
            database.persist(&pending)?;
            pending.clear();
            state = database.state()?;
        }
    }
    let mut crashed = Vec::new();
    for round in 0..rounds.max(1) {
        let copied = folder.path().join(format!("crashed-{round}"));
        copy(&datadir, &copied)?;
        crashed.push(opening(&copied, &chain.spec, blocks)?);
    }
    drop((state, database));
    let mut ended = Vec::new();
    for _ in 0..rounds.max(1) {
        ended.push(opening(&datadir, &chain.spec, blocks)?);
    }
    results.set("open.100k_blocks_after_end_s", median(&ended));
    results.set("open.100k_blocks_s", median(&crashed));
    Ok(())
}

fn opening(folder: &Path, spec: &Arc<ChainSpec>, blocks: u64) -> Result<f64> {
    let start = Instant::now();
    let database = Database::open(folder, Arc::clone(spec))?;
    let took = start.elapsed().as_secs_f64();
    let (head, lost) = (database.heads().latest.number, database.lost());
    ensure!(head == blocks && lost.is_none(), "opened at {head}, not {blocks}; lost: {lost:?}");
    Ok(took)
}
