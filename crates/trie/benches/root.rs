//! What a root costs: by the number of changes, by the size of the state, and for whole blocks.
//!
//! `cargo bench -p openledger-trie --bench root -- [--leaves N,N…] [--changes N,N…] [--json PATH]`
//!
//! The state lies in memory; CPU time is of all threads. `--json` writes a flat object of name → number.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    time::Instant,
};

use alloy_primitives::{B256, U256, keccak256};
use openledger_trie::{
    AccountChange, EMPTY_ROOT_HASH, KECCAK_EMPTY, MemoryState, Nibbles, NodeBuilder, SlotChange,
    StateChanges, StateTrie, StorageChanges, TrieAccount,
};

const MIB: usize = 1 << 20;
/// Bytes of the trie that may stay in memory between blocks.
const MEMORY_LIMIT: usize = 512 * MIB;

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn key(&mut self) -> B256 {
        let mut key = B256::ZERO;
        key.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&self.next().to_be_bytes()));
        key
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[(self.next() % from.len() as u64) as usize]
    }
}

#[derive(Clone, Copy)]
struct Span {
    wall_ms: f64,
    cpu_ms: f64,
}

fn cpu_ns() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Span) {
    let (start, cpu) = (Instant::now(), cpu_ns());
    let result = run();
    let wall_ms = start.elapsed().as_secs_f64() * 1e3;
    (result, Span { wall_ms, cpu_ms: (cpu_ns() - cpu) as f64 / 1e6 })
}

fn account_of(seed: u64) -> TrieAccount {
    TrieAccount::new(seed % 1000, U256::from(seed) << 40, EMPTY_ROOT_HASH, KECCAK_EMPTY)
}

/// One account with `leaves` slots.
fn slots_state(leaves: usize) -> (MemoryState, Vec<B256>, B256, B256) {
    let mut random = Random(7);
    let mut keys: Vec<B256> = (0..leaves).map(|_| random.key()).collect();
    keys.sort_unstable();
    let owner = random.key();
    let slots: BTreeMap<B256, U256> =
        keys.iter().map(|key| (*key, U256::from_be_bytes(key.0) >> 128)).collect();
    let mut state = MemoryState::default();
    let nodes = state.storage_nodes.entry(owner).or_default();
    let mut builder = NodeBuilder::new(|path: &Nibbles, node: &[u8]| {
        nodes.insert(*path, node.into());
    });
    slots.iter().for_each(|(key, value)| builder.push_slot(*key, *value).unwrap());
    let account = TrieAccount { storage_root: builder.root(), ..Default::default() };
    state.storages.insert(owner, slots);
    state.accounts.insert(owner, account);
    let mut builder = NodeBuilder::new(|_: &Nibbles, _: &[u8]| ());
    builder.push_account(owner, &account).unwrap();
    (state, keys, owner, builder.root())
}

fn accounts_state(leaves: usize) -> (MemoryState, Vec<B256>, B256) {
    let mut random = Random(11);
    let mut keys: Vec<B256> = (0..leaves).map(|_| random.key()).collect();
    keys.sort_unstable();
    let mut state = MemoryState {
        accounts: keys.iter().map(|key| (*key, account_of(random.next()))).collect(),
        ..Default::default()
    };
    let mut builder = NodeBuilder::new(|path: &Nibbles, node: &[u8]| {
        state.account_nodes.insert(*path, node.into());
    });
    state.accounts.iter().for_each(|(key, account)| builder.push_account(*key, account).unwrap());
    let root = builder.root();
    (state, keys, root)
}

fn slot_changes(random: &mut Random, keys: &[B256], owner: B256, changes: usize) -> StateChanges {
    let mut slots = BTreeMap::new();
    while slots.len() < changes {
        slots.insert(*random.pick(keys), SlotChange { value: U256::from(random.next() | 1), was_set: true });
    }
    let storage = StorageChanges { wiped: false, slots };
    StateChanges { storages: [(owner, storage)].into(), ..Default::default() }
}

/// `known` says whether execution tells the storage root that each account has.
fn account_changes(random: &mut Random, keys: &[B256], changes: usize, known: bool) -> StateChanges {
    let mut accounts = BTreeMap::new();
    for _ in 0..changes {
        let TrieAccount { nonce, balance, storage_root, code_hash } = account_of(random.next());
        let change = AccountChange { nonce, balance, code_hash, storage_root: known.then_some(storage_root) };
        accounts.insert(*random.pick(keys), Some(change));
    }
    StateChanges { accounts, ..Default::default() }
}

fn main() {
    let mut leaves = vec![100_000, 1_000_000, 10_000_000];
    let mut changes = vec![1_000, 10_000, 100_000];
    let mut json = None;
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    while let Some(arg) = args.next() {
        let list = |value: String| value.split(',').map(|n| n.parse().unwrap()).collect();
        match (arg.as_str(), args.next()) {
            ("--leaves", Some(value)) => leaves = list(value),
            ("--changes", Some(value)) => changes = list(value),
            ("--json", Some(path)) => json = Some(path),
            _ => panic!("options: --leaves N,N… --changes N,N… --json PATH"),
        }
    }
    let mut results = BTreeMap::new();
    hashing(&mut results);
    blocks(&mut results);
    for leaves in leaves {
        slots(leaves, &changes, &mut results);
    }
    if let Some(path) = json {
        let lines: Vec<_> = results.iter().map(|(name, value)| format!("  \"{name}\": {value:.4}")).collect();
        std::fs::write(path, format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
    }
}

/// The floor: a full branch of 16 hashes.
fn hashing(results: &mut BTreeMap<String, f64>) {
    let branch = [7_u8; 532];
    let ((), span) = timed(|| (0..100_000).for_each(|_| _ = black_box(keccak256(black_box(&branch)))));
    println!("keccak-256 of a full branch: {:.2} us", span.cpu_ms / 100.0);
    results.insert("trie.keccak_branch_us".into(), span.cpu_ms / 100.0);
}

/// Blocks over one million accounts, the trie kept between them.
fn blocks(results: &mut BTreeMap<String, f64>) {
    let (mut state, keys, root) = accounts_state(1_000_000);
    let mut random = Random(13);
    let mut trie = StateTrie::new(root);
    let runs = [
        ("transfer_block", 400, 2_856, true),
        ("seal_10k", 10, 10_000, true),
        ("transfer_block_roots_unknown", 400, 2_856, false),
        ("seal_10k_roots_unknown", 10, 10_000, false),
    ];
    for (name, count, per_block, known) in runs {
        let mut spans = Vec::new();
        for _ in 0..count {
            let changes = account_changes(&mut random, &keys, per_block, known);
            let ((next, layer), span) = timed(|| trie.apply(&state, changes).unwrap());
            trie = next;
            state.apply(&layer);
            let ((), pruned) = timed(|| trie.prune(MEMORY_LIMIT));
            spans.push((span, pruned, layer.nodes.accounts.len()));
        }
        // The first blocks read the trie into memory.
        let late = &spans[spans.len() / 2..];
        let mean =
            |of: &dyn Fn(&(Span, Span, usize)) -> f64| late.iter().map(of).sum::<f64>() / late.len() as f64;
        println!(
            "{name}: {per_block} of 1000000 accounts: {:.2} ms wall, {:.2} core-ms (+{:.3} pruning), {:.0} nodes; first block {:.2} ms wall, {:.2} core-ms; {} MiB kept",
            mean(&|(span, ..)| span.wall_ms),
            mean(&|(span, ..)| span.cpu_ms),
            mean(&|(_, pruned, _)| pruned.cpu_ms),
            mean(&|(.., nodes)| *nodes as f64),
            spans[0].0.wall_ms,
            spans[0].0.cpu_ms,
            trie.memory_bytes() / MIB,
        );
        results.insert(format!("trie.{name}_core_ms"), mean(&|(span, ..)| span.cpu_ms));
        results.insert(format!("trie.{name}_ms"), mean(&|(span, ..)| span.wall_ms));
    }
    // The root of many blocks at once, as where only the last one's is checked.
    for range in [16, 64] {
        let mut cpu_ms = 0.0;
        for _ in 0..3 {
            let mut merged = StateChanges::default();
            for _ in 0..range {
                merged.extend(account_changes(&mut random, &keys, 2_856, true));
            }
            let ((next, layer), span) = timed(|| trie.apply(&state, merged).unwrap());
            trie = next;
            state.apply(&layer);
            cpu_ms += span.cpu_ms / 3.0 / f64::from(range);
        }
        println!("transfer_block, one root for {range}: {cpu_ms:.2} core-ms a block");
        results.insert(format!("trie.transfer_block_by_{range}_core_ms"), cpu_ms);
    }
    // A second handle on the parent, as while a block is executed a second time.
    let changes = account_changes(&mut random, &keys, 2_856, true);
    let kept = trie.clone();
    let ((next, layer), span) = timed(|| trie.apply(&state, changes.clone()).unwrap());
    println!("transfer_block with the parent kept: {:.2} ms wall, {:.2} core-ms", span.wall_ms, span.cpu_ms);
    let (again, span) = timed(|| kept.apply(&state, changes).unwrap());
    assert_eq!(again.1, layer);
    println!("transfer_block a second time: {:.2} ms wall, {:.2} core-ms", span.wall_ms, span.cpu_ms);
    drop(again);
    state.apply(&layer);
    // A new address in every transaction, and accounts that go.
    let mut changes = account_changes(&mut random, &keys, 1_000, true);
    let mut touched = BTreeSet::new();
    for _ in 0..1_000 {
        changes.accounts.insert(random.key(), Some(AccountChange::default()));
        touched.insert(*random.pick(&keys));
    }
    touched.iter().for_each(|key| _ = changes.accounts.insert(*key, None));
    let (_, span) = timed(|| next.apply(&state, changes).unwrap());
    println!("1000 changed, 1000 new, 1000 removed: {:.2} ms wall, {:.2} core-ms", span.wall_ms, span.cpu_ms);
}

fn slots(leaves: usize, changes: &[usize], results: &mut BTreeMap<String, f64>) {
    let (state, keys, owner, root) = slots_state(leaves);
    let (full_root, full) = timed(|| {
        let mut builder = NodeBuilder::new(|_: &Nibbles, _: &[u8]| ());
        state.storages[&owner].iter().for_each(|(key, value)| builder.push_slot(*key, *value).unwrap());
        builder.root()
    });
    assert_eq!(full_root, state.accounts[&owner].storage_root);
    println!("{leaves} slots: full recomputation {:.1} ms wall, {:.1} core-ms", full.wall_ms, full.cpu_ms);
    let name = |n: usize| match n {
        n if n.is_multiple_of(1_000_000) => format!("{}m", n / 1_000_000),
        n if n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        n => n.to_string(),
    };
    for count in changes.iter().copied().filter(|count| count * 2 <= leaves) {
        let mut random = Random(17);
        let trie = StateTrie::new(root);
        let first = slot_changes(&mut random, &keys, owner, count);
        let ((trie, layer), cold) = timed(|| trie.apply(&state, first).unwrap());
        black_box(layer);
        let second = slot_changes(&mut random, &keys, owner, count);
        let (_, warm) = timed(|| trie.apply(&state, second).unwrap());
        println!(
            "  {count} changed: {:.2} ms wall, {:.2} core-ms ({:.1}x faster than full); again {:.2} ms wall, {:.2} core-ms",
            cold.wall_ms,
            cold.cpu_ms,
            full.wall_ms / cold.wall_ms,
            warm.wall_ms,
            warm.cpu_ms
        );
        let label = format!("root.{}_of_{}", name(count), name(leaves));
        results.insert(format!("{label}.vs_full"), full.wall_ms / cold.wall_ms);
        results.insert(format!("{label}.ms"), cold.wall_ms);
        results.insert(format!("{label}.core_ms"), cold.cpu_ms);
    }
}
