//! Updating slots of a large storage trie, against computing it anew; the state lies in memory.

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use alloy_primitives::{B256, U256};
use eyre::{Result, ensure};
use openledger_figures::{Figures, median};
use openledger_trie::{
    MemoryState, Nibbles, NodeBuilder, SlotChange, StateChanges, StateTrie, StorageChanges, TrieAccount,
};

use crate::accounts::Random;

const CHANGES: [usize; 3] = [1_000, 10_000, 100_000];

/// Tries of 1/100, 1/10 and all of `leaves`.
pub(crate) fn measure(leaves: usize, rounds: usize, results: &mut Figures) -> Result<()> {
    for part in [100, 10, 1] {
        let changes: Vec<_> =
            CHANGES.iter().map(|changes| (*changes, changes * leaves / 10_000_000)).collect();
        let labelled = 10_000_000 / part;
        of_size(leaves / part, labelled, &changes, rounds, results)?;
    }
    Ok(())
}

fn of_size(
    leaves: usize,
    labelled: usize,
    changes: &[(usize, usize)],
    rounds: usize,
    results: &mut Figures,
) -> Result<()> {
    let mut random = Random(7);
    let mut keys: Vec<B256> = (0..leaves).map(|_| random.word()).collect();
    keys.sort_unstable();
    let owner = random.word();
    let mut state = MemoryState::default();
    let slots: BTreeMap<B256, U256> =
        keys.iter().map(|key| (*key, U256::from_be_bytes(key.0) >> 128)).collect();
    let nodes = state.storage_nodes.entry(owner).or_default();
    let mut builder = NodeBuilder::new(|path: &Nibbles, node: &[u8]| {
        nodes.insert(*path, node.into());
    });
    for (key, value) in &slots {
        builder.push_slot(*key, *value)?;
    }
    let storage_root = builder.root();
    let account = TrieAccount { storage_root, ..Default::default() };
    state.storages.insert(owner, slots);
    state.accounts.insert(owner, account);
    let mut builder = NodeBuilder::new(|_: &Nibbles, _: &[u8]| ());
    builder.push_account(owner, &account)?;
    let root = builder.root();

    for &(label, changed) in changes {
        if label * 2 > labelled || changed == 0 {
            continue;
        }
        let (mut full_ms, mut update_ms, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let start = Instant::now();
            let mut builder = NodeBuilder::new(|_: &Nibbles, _: &[u8]| ());
            for (key, value) in &state.storages[&owner] {
                builder.push_slot(*key, *value)?;
            }
            ensure!(builder.root() == storage_root, "the full computation gives another root");
            let full = start.elapsed().as_secs_f64() * 1e3;
            let mut slots = BTreeMap::new();
            while slots.len() < changed {
                let key = keys[random.below(leaves as u64) as usize];
                slots.insert(key, SlotChange { value: U256::from(random.next() | 1), was_set: true });
            }
            let storage = StorageChanges { wiped: false, slots };
            let changes = StateChanges { storages: [(owner, storage)].into(), ..Default::default() };
            // A new handle: nothing of the trie is in memory yet.
            let trie = StateTrie::new(root);
            let start = Instant::now();
            black_box(trie.apply(&state, changes)?);
            let update = start.elapsed().as_secs_f64() * 1e3;
            full_ms.push(full);
            update_ms.push(update);
            ratios.push(full / update);
        }
        let name = format!("root.{}_of_{}", short(label), short(labelled));
        results.set(format!("{name}.ms"), median(&update_ms));
        results.set(format!("{name}.full_ms"), median(&full_ms));
        results.set(format!("{name}.vs_full"), median(&ratios));
    }
    Ok(())
}

fn short(number: usize) -> String {
    match number {
        1_000_000.. => format!("{}m", number / 1_000_000),
        _ => format!("{}k", number / 1_000),
    }
}
