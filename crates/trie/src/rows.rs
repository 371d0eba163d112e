//! Rows of stored nodes to write and to remove, sorted by path.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::B256;
use alloy_trie::{Nibbles, nodes::RlpNode};

use crate::filter::PathFilter;

/// What becomes of the stored nodes of one trie: sorted by path, each path once.
#[derive(Debug, Clone, Default)]
pub struct NodeRows {
    rows: Vec<Row>,
    /// The encoded nodes, in no order. Merged rows share them with what they were merged from.
    chunks: Vec<Arc<Vec<u8>>>,
    /// Tells most paths without a row from those with one.
    filter: PathFilter,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    path: Nibbles,
    chunk: u32,
    start: u32,
    /// Zero for a removed node.
    len: u32,
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
    pub fn size_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.chunk_bytes() + self.filter.size_bytes()
    }

    /// The rows in order of their paths: the node's encoding, or `None` where it is removed.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Nibbles, Option<&[u8]>)> {
        self.rows.iter().map(|row| (row.path, self.node(row)))
    }

    /// What becomes of the node under `path`: `None` where the rows do not say, `Some(None)` where it is
    /// removed.
    pub fn get(&self, path: &Nibbles) -> Option<Option<&[u8]>> {
        if !self.filter.may_hold(path) {
            return None;
        }
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
        self.filter = self.filter_of_rows();
    }

    fn filter_of_rows(&self) -> PathFilter {
        PathFilter::of(self.rows.iter().map(|row| &row.path))
    }

    fn node(&self, row: &Row) -> Option<&[u8]> {
        let start = row.start as usize;
        (row.len > 0).then(|| &self.chunks[row.chunk as usize][start..start + row.len as usize])
    }

    fn chunk_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    fn append(&mut self, other: &Self) {
        let shift = self.chunks.len() as u32;
        self.chunks.extend(other.chunks.iter().cloned());
        self.rows.extend(other.rows.iter().map(|row| Row { chunk: row.chunk + shift, ..*row }));
    }

    /// Sorts, keeps the last row of each path, and lets go of nodes that no row names any more.
    fn sort(&mut self) {
        // Stable: of one path the row added last stays last.
        self.rows.sort_by_key(|row| row.path);
        let mut kept = 0;
        for index in 0..self.rows.len() {
            if self.rows.get(index + 1).is_none_or(|next| next.path != self.rows[index].path) {
                self.rows[kept] = self.rows[index];
                kept += 1;
            }
        }
        self.rows.truncate(kept);
        let live: usize = self.rows.iter().map(|row| row.len as usize).sum();
        if live < self.chunk_bytes() / 2 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut chunks = ChunkWriter::default();
        for row in self.rows.iter_mut().filter(|row| row.len > 0) {
            let start = row.start as usize;
            let node = &self.chunks[row.chunk as usize][start..start + row.len as usize];
            chunks.open(node.len()).extend_from_slice(node);
            (row.chunk, row.start, row.len) = chunks.close();
        }
        self.chunks = chunks.finish();
    }
}

/// Lays encoded nodes one behind the other, in chunks whose places fit in a `u32`.
#[derive(Debug, Default)]
struct ChunkWriter {
    full: Vec<Arc<Vec<u8>>>,
    last: Vec<u8>,
    start: usize,
}

/// A chunk takes no node that begins after so many bytes.
const CHUNK_BYTES: usize = 1 << 24;

impl ChunkWriter {
    /// Where the next node is to be appended.
    fn open(&mut self, room: usize) -> &mut Vec<u8> {
        if self.last.len() >= CHUNK_BYTES {
            self.full.push(Arc::new(std::mem::take(&mut self.last)));
        }
        self.last.reserve(room);
        self.start = self.last.len();
        &mut self.last
    }

    /// Chunk, start and length of the node appended since [`Self::open`].
    fn close(&self) -> (u32, u32, u32) {
        (self.full.len() as u32, self.start as u32, (self.last.len() - self.start) as u32)
    }

    fn chunk(&self, index: usize) -> &[u8] {
        self.full.get(index).map_or(&self.last, |chunk| chunk)
    }

    fn finish(mut self) -> Vec<Arc<Vec<u8>>> {
        if !self.last.is_empty() {
            self.full.push(Arc::new(self.last));
        }
        self.full
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
    rows: Vec<Row>,
    nodes: ChunkWriter,
    /// Parts that were walked elsewhere, and where among `rows` each stands.
    parts: Vec<(usize, NodeRows)>,
}

/// A place for the row of a node whose children are walked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowPlace(usize);

impl RowPlace {
    /// Stands for the reference of the node until it is hashed: no reference begins with zero.
    pub(crate) fn unhashed(self) -> RlpNode {
        let mut bytes = [0; 9];
        bytes[1..].copy_from_slice(&(self.0 as u64).to_be_bytes());
        RlpNode::from_raw(&bytes).unwrap_or_default()
    }

    /// The place of the node that [`Self::unhashed`] stands for.
    pub(crate) fn of_unhashed(reference: &RlpNode) -> Option<Self> {
        let [0, place @ ..] = reference.as_slice() else { return None };
        Some(Self(u64::from_be_bytes(place.try_into().ok()?) as usize))
    }
}

/// Marks a place that no row took.
const NO_ROW: u32 = u32::MAX;

impl RowWriter {
    /// With room for the rows of so many leaves that change, each on its own way.
    pub(crate) fn for_changes(changes: usize) -> Self {
        let mut writer = Self::default();
        writer.rows.reserve(changes.saturating_mul(3).min(1 << 16));
        writer.nodes.last.reserve(changes.saturating_mul(900).min(CHUNK_BYTES));
        writer
    }

    pub(crate) fn place(&mut self, path: Nibbles) -> RowPlace {
        self.rows.push(Row { path, chunk: 0, start: 0, len: NO_ROW });
        RowPlace(self.rows.len() - 1)
    }

    /// Writes the row by appending the node's encoding.
    pub(crate) fn write(&mut self, place: RowPlace, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(self.nodes.open(0));
        let row = &mut self.rows[place.0];
        (row.chunk, row.start, row.len) = self.nodes.close();
    }

    /// The encoding of a node that was written.
    pub(crate) fn written(&self, place: RowPlace) -> &[u8] {
        let row = &self.rows[place.0];
        let start = row.start as usize;
        &self.nodes.chunk(row.chunk as usize)[start..start + row.len as usize]
    }

    pub(crate) fn remove(&mut self, place: RowPlace) {
        self.rows[place.0].len = 0;
    }

    pub(crate) fn remove_path(&mut self, path: Nibbles) {
        self.rows.push(Row { path, chunk: 0, start: 0, len: 0 });
    }

    /// Adds the rows of a part that was walked elsewhere.
    pub(crate) fn append(&mut self, part: Self) {
        self.parts.push((self.rows.len(), part.gather()));
    }

    pub(crate) fn finish(self) -> NodeRows {
        let mut rows = self.gather();
        if !rows.rows.is_sorted_by(|a, b| a.path < b.path) {
            rows.sort();
        }
        rows.filter = rows.filter_of_rows();
        rows
    }

    fn gather(self) -> NodeRows {
        let mut gathered = NodeRows { chunks: self.nodes.finish(), ..Default::default() };
        let own = |rows: &[Row]| rows.iter().filter(|row| row.len != NO_ROW).copied().collect::<Vec<_>>();
        let mut from = 0;
        for (at, part) in self.parts {
            gathered.rows.extend(own(&self.rows[from..at]));
            gathered.append(&part);
            from = at;
        }
        gathered.rows.extend(own(&self.rows[from..]));
        gathered
    }
}
