//! Rows of stored nodes to write and to remove, sorted by path.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use alloy_trie::Nibbles;

/// What becomes of the stored nodes of one trie: sorted by path, each path once.
#[derive(Debug, Clone, Default)]
pub struct NodeRows {
    rows: Vec<Row>,
    /// The encoded nodes, in no order.
    data: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    path: Nibbles,
    start: usize,
    /// Zero for a removed node.
    len: usize,
}

/// What becomes of the stored nodes of the whole state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrieUpdates {
    /// Nodes of the account trie.
    pub accounts: NodeRows,
    /// Nodes of storage tries, by hashed address.
    pub storages: BTreeMap<B256, StorageUpdates>,
}

/// What becomes of the stored nodes of one storage trie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageUpdates {
    /// Whether all nodes of the trie are removed before the rows are written.
    pub wiped: bool,
    /// The rows.
    pub nodes: NodeRows,
}

impl NodeRows {
    /// How many nodes are written or removed.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing is written or removed.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of memory that the rows take.
    pub const fn size_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.data.capacity()
    }

    /// The rows in order of their paths: the node's encoding, or `None` where it is removed.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Nibbles, Option<&[u8]>)> {
        self.rows.iter().map(|row| (row.path, self.node(row)))
    }

    /// What becomes of the node under `path`: `None` where the rows do not say, `Some(None)` where it is
    /// removed.
    pub fn get(&self, path: &Nibbles) -> Option<Option<&[u8]>> {
        let index = self.rows.binary_search_by(|row| row.path.cmp(path)).ok()?;
        Some(self.node(&self.rows[index]))
    }

    /// Adds rows made after these; of one path the newer row counts.
    pub fn extend(&mut self, newer: &Self) {
        if newer.is_empty() {
            return;
        }
        let in_order = self.rows.last().is_none_or(|last| last.path < newer.rows[0].path);
        self.append(newer);
        if !in_order {
            self.sort();
        }
    }

    fn node(&self, row: &Row) -> Option<&[u8]> {
        (row.len > 0).then(|| &self.data[row.start..row.start + row.len])
    }

    fn append(&mut self, other: &Self) {
        let shift = self.data.len();
        self.data.extend_from_slice(&other.data);
        self.rows.extend(other.rows.iter().map(|row| Row { start: row.start + shift, ..*row }));
    }

    /// Sorts, keeps the last row of each path, and lets go of nodes that no row names any more.
    fn sort(&mut self) {
        // Stable: of one path the row added last stays last.
        self.rows.sort_by(|a, b| a.path.cmp(&b.path));
        let mut kept = 0;
        for index in 0..self.rows.len() {
            if self.rows.get(index + 1).is_none_or(|next| next.path != self.rows[index].path) {
                self.rows[kept] = self.rows[index];
                kept += 1;
            }
        }
        self.rows.truncate(kept);
        let live: usize = self.rows.iter().map(|row| row.len).sum();
        if live < self.data.len() / 2 {
            let mut data = Vec::with_capacity(live);
            for row in &mut self.rows {
                let start = data.len();
                data.extend_from_slice(&self.data[row.start..row.start + row.len]);
                row.start = start;
            }
            self.data = data;
        }
    }
}

impl PartialEq for NodeRows {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for NodeRows {}

impl StorageUpdates {
    /// Adds updates made after these.
    pub fn extend(&mut self, newer: &Self) {
        if newer.wiped {
            self.clone_from(newer);
        } else {
            self.nodes.extend(&newer.nodes);
        }
    }
}

impl TrieUpdates {
    /// Whether nothing is written or removed.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.storages.is_empty()
    }

    /// Adds updates made after these.
    pub fn extend(&mut self, newer: &Self) {
        self.accounts.extend(&newer.accounts);
        for (hashed_address, updates) in &newer.storages {
            self.storages.entry(*hashed_address).or_default().extend(updates);
        }
    }
}

/// Collects [`NodeRows`] while a trie is walked from the top, in order of its paths.
#[derive(Debug, Default)]
pub(crate) struct RowWriter {
    rows: NodeRows,
}

/// A place for the row of a node whose children are walked first.
#[derive(Debug)]
pub(crate) struct RowPlace(usize);

/// Marks a place that no row took.
const NO_ROW: usize = usize::MAX;

impl RowWriter {
    pub(crate) fn place(&mut self, path: Nibbles) -> RowPlace {
        self.rows.rows.push(Row { path, start: 0, len: NO_ROW });
        RowPlace(self.rows.rows.len() - 1)
    }

    /// Writes the row by appending the node's encoding.
    pub(crate) fn write(&mut self, place: RowPlace, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = self.rows.data.len();
        encode(&mut self.rows.data);
        let row = &mut self.rows.rows[place.0];
        row.start = start;
        row.len = self.rows.data.len() - start;
    }

    pub(crate) fn remove(&mut self, place: RowPlace) {
        self.rows.rows[place.0].len = 0;
    }

    pub(crate) fn remove_path(&mut self, path: Nibbles) {
        self.rows.rows.push(Row { path, start: 0, len: 0 });
    }

    /// Adds the rows of a part that was walked elsewhere.
    pub(crate) fn append(&mut self, part: Self) {
        if self.rows.rows.is_empty() {
            self.rows = part.rows;
        } else {
            self.rows.append(&part.rows);
        }
    }

    pub(crate) fn finish(self) -> NodeRows {
        let mut rows = self.rows;
        rows.rows.retain(|row| row.len != NO_ROW);
        if !rows.rows.is_sorted_by(|a, b| a.path < b.path) {
            rows.sort();
        }
        rows
    }
}
