//! The first block and its state, of any size.

use alloy_consensus::BlockBody;
use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, U256, keccak256};
use openledger_chainspec::ChainSpec;
use openledger_primitives::OpenTxEnvelope;
use openledger_trie::{KECCAK_EMPTY, NodeBuilder, TrieAccount};
use rocksdb::{DB, WriteBatch};

use crate::{
    Heads, Result, StorageError,
    check::out_of_order,
    codec::{Commit, encode_receipts, encode_slot},
    columns::{self, number_key, slot_key},
    database::{CHAIN_ID_KEY, GENESIS_KEY, HEADS_KEY, SCHEMA_KEY, SCHEMA_VERSION},
    persist::put_account,
    store::{self, column},
    stored_state::{path_key, storage_path_key},
};

/// Bytes of a batch after which the next one begins.
const BATCH_BYTES: usize = 8 << 20;

/// Writes the genesis block and state into a database that has none. A genesis may be large, so it is
/// written in parts; the last part names it, and what an interrupted attempt left is removed first.
pub(crate) fn write(db: &DB, spec: &ChainSpec) -> Result<Commit> {
    let mut batch = WriteBatch::default();
    for name in columns::ALL {
        let column = column(db, name)?;
        let last = db.iterator_cf(column, rocksdb::IteratorMode::End).next().transpose()?;
        if let Some((last, _)) = last {
            batch.delete_range_cf(column, &[][..], &last[..]);
            batch.delete_cf(column, &last);
        }
    }
    let root = write_state(db, &mut batch, spec)?;
    let header = spec.genesis_header();
    let (number, hash) = (header.number, spec.genesis_hash());
    if root != header.state_root {
        let reason = format!("its allocation has state root {root}, its header {}", header.state_root);
        return Err(StorageError::InvalidBlock { number, reason });
    }
    let withdrawals = header.withdrawals_root.map(|_| Default::default());
    let body = BlockBody::<OpenTxEnvelope> { withdrawals, ..Default::default() };
    let key = number_key(number);
    let stored_header = [hash.as_slice(), &alloy_rlp::encode(header)].concat();
    batch.put_cf(column(db, columns::HEADERS)?, key, stored_header);
    batch.put_cf(column(db, columns::BODIES)?, key, alloy_rlp::encode(body));
    batch.put_cf(column(db, columns::SENDERS)?, key, []);
    batch.put_cf(column(db, columns::RECEIPTS)?, key, encode_receipts(&[]));
    batch.put_cf(column(db, columns::NUMBERS)?, hash, key);

    let genesis = BlockNumHash::new(number, hash);
    let heads = Heads { latest: genesis, safe: genesis, finalized: genesis };
    let commit = Commit { heads, generation: 0 };
    let meta = column(db, columns::META)?;
    batch.put_cf(meta, GENESIS_KEY, hash);
    batch.put_cf(meta, CHAIN_ID_KEY, spec.chain_id().to_be_bytes());
    batch.put_cf(meta, SCHEMA_KEY, SCHEMA_VERSION.to_be_bytes());
    batch.put_cf(meta, HEADS_KEY, commit.encode());
    store::write_synced(db, batch)?;
    Ok(commit)
}

/// Writes accounts, slots, code and trie nodes, and gives the state root. What fills a batch is written,
/// the rest is left in `batch`.
fn write_state(db: &DB, batch: &mut WriteBatch, spec: &ChainSpec) -> Result<B256> {
    let accounts = column(db, columns::ACCOUNTS)?;
    let storage = column(db, columns::STORAGE)?;
    let account_nodes = column(db, columns::ACCOUNT_NODES)?;
    let storage_nodes = column(db, columns::STORAGE_NODES)?;
    let codes = column(db, columns::CODES)?;
    let mut alloc: Vec<_> =
        spec.genesis().alloc.iter().map(|(address, account)| (keccak256(address), account)).collect();
    alloc.sort_unstable_by_key(|(hashed_address, _)| *hashed_address);
    let mut nodes = Vec::new();
    let mut trie = NodeBuilder::new(|path, node: &[u8]| nodes.push((path_key(path), node.to_vec())));
    let mut buffer = Vec::new();
    let mut trie_accounts = Vec::with_capacity(alloc.len());
    for (hashed_address, account) in alloc {
        let mut slots: Vec<(B256, U256)> = account
            .storage_slots()
            .filter(|(_, value)| !value.is_zero())
            .map(|(slot, value)| (keccak256(slot), value))
            .collect();
        slots.sort_unstable_by_key(|(hashed_slot, _)| *hashed_slot);
        let mut slot_trie = NodeBuilder::new(|path, node: &[u8]| {
            batch.put_cf(storage_nodes, storage_path_key(hashed_address, path), node);
        });
        for (hashed_slot, value) in &slots {
            slot_trie.push_slot(*hashed_slot, *value).map_err(out_of_order)?;
        }
        let storage_root = slot_trie.root();
        for (hashed_slot, value) in slots {
            batch.put_cf(storage, slot_key(hashed_address, hashed_slot), encode_slot(value));
        }
        if let (Some(hash), Some(code)) = (account.code_hash(), &account.code) {
            batch.put_cf(codes, hash, code);
        }
        let code_hash = account.code_hash().unwrap_or(KECCAK_EMPTY);
        let nonce = account.nonce.unwrap_or_default();
        let account = TrieAccount::new(nonce, account.balance, storage_root, code_hash);
        put_account(batch, accounts, hashed_address, &account, &mut buffer);
        trie_accounts.push((hashed_address, account));
        write_if_full(db, batch)?;
    }
    for (hashed_address, account) in trie_accounts {
        trie.push_account(hashed_address, &account).map_err(out_of_order)?;
    }
    let root = trie.root();
    for (path, node) in nodes {
        batch.put_cf(account_nodes, path, node);
        write_if_full(db, batch)?;
    }
    Ok(root)
}

fn write_if_full(db: &DB, batch: &mut WriteBatch) -> Result<()> {
    if batch.size_in_bytes() >= BATCH_BYTES {
        db.write(std::mem::take(batch))?;
    }
    Ok(())
}
