//! The leaves of a trie at some block, in key order: flat values, with what history says of later
//! changes taken back.

use std::{cmp::Ordering, iter::Peekable};

use alloy_primitives::B256;
use rocksdb::DBRawIterator;

use crate::{
    Result, StorageError,
    codec::NOTHING,
    columns::{history_key, number_key},
    store::Snapshot,
};

/// The key of a leaf and its encoded value.
pub(crate) type Leaf = (B256, Vec<u8>);

/// Which flat column, its history, and the prefix that the keys share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) flat: &'static str,
    pub(crate) history: &'static str,
    /// The hashed address where the leaves are slots.
    pub(crate) owner: Option<B256>,
}

impl Source {
    fn prefix(&self) -> &[u8] {
        self.owner.as_ref().map_or(&[], |owner| owner.as_slice())
    }
}

/// The value of `key` after block `at`; `None` for `at` means after the snapshot's head.
pub(crate) fn value_at(
    snapshot: &Snapshot,
    flat: &'static str,
    history: &'static str,
    key: &[u8],
    at: Option<u64>,
) -> Result<Option<Vec<u8>>> {
    if let Some(number) = at {
        let mut cursor = snapshot.cursor(history, key)?;
        cursor.seek(first_change_after(key, number));
        cursor.status()?;
        if let Some(old) = cursor.value() {
            return Ok(Some(old.to_vec()).filter(|old| old != NOTHING));
        }
    }
    snapshot.get(flat, key)
}

/// The leaves of `source` after block `at`; `None` for `at` means after the snapshot's head.
pub(crate) fn leaves_at<'a>(
    snapshot: &'a Snapshot,
    source: Source,
    at: Option<u64>,
) -> Result<Box<dyn Iterator<Item = Result<Leaf>> + 'a>> {
    let flat = snapshot
        .iterate(source.flat, source.prefix())?
        .map(move |item| item.and_then(|(key, value)| Ok((leaf_key(source, &key)?, value.into_vec()))));
    let Some(number) = at else { return Ok(Box::new(flat)) };
    let mut cursor = snapshot.cursor(source.history, source.prefix())?;
    cursor.seek_to_first();
    let history = History { cursor, source, number, failed: false };
    Ok(Box::new(Merged { flat: flat.peekable(), history: history.peekable() }))
}

fn leaf_key(source: Source, key: &[u8]) -> Result<B256> {
    let suffix = key.get(source.prefix().len()..).unwrap_or_default();
    B256::try_from(suffix)
        .map_err(|_| StorageError::corrupt(source.flat, format!("key of {} bytes", key.len())))
}

fn first_change_after(key: &[u8], number: u64) -> Vec<u8> {
    match number.checked_add(1) {
        Some(next) => history_key(key, next),
        // No block comes after the last number: past every entry of this key.
        None => [key, &number_key(u64::MAX), &[0]].concat(),
    }
}

/// Of every key that changed after `number`, its value at `number`; `NOTHING` where there was none.
struct History<'a> {
    cursor: DBRawIterator<'a>,
    source: Source,
    number: u64,
    failed: bool,
}

impl History<'_> {
    fn next_leaf(&mut self) -> Result<Option<Leaf>> {
        let flat_key_length = self.source.prefix().len() + 32;
        loop {
            self.cursor.status()?;
            let Some(key) = self.cursor.key() else { return Ok(None) };
            let Some((flat_key, _)) = key
                .split_at_checked(flat_key_length)
                .filter(|(_, number)| number.len() == 8)
                .map(|(flat_key, number)| (flat_key.to_vec(), number.to_vec()))
            else {
                return Err(StorageError::corrupt(
                    self.source.history,
                    format!("key of {} bytes", key.len()),
                ));
            };
            self.cursor.seek(first_change_after(&flat_key, self.number));
            self.cursor.status()?;
            let found = match self.cursor.item() {
                Some((key, old)) if key.starts_with(&flat_key) => Some(old.to_vec()),
                // It did not change after `number`; the cursor stands on the next key already.
                _ => None,
            };
            if let Some(old) = found {
                self.cursor.seek([&flat_key[..], &[0xff; 9]].concat());
                return Ok(Some((leaf_key(self.source, &flat_key)?, old)));
            }
        }
    }
}

impl Iterator for History<'_> {
    type Item = Result<Leaf>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let leaf = self.next_leaf();
        self.failed = leaf.is_err();
        leaf.transpose()
    }
}

/// Flat leaves and old leaves in one order; the old one counts where both have a key.
struct Merged<F: Iterator, H: Iterator> {
    flat: Peekable<F>,
    history: Peekable<H>,
}

impl<F, H> Iterator for Merged<F, H>
where
    F: Iterator<Item = Result<Leaf>>,
    H: Iterator<Item = Result<Leaf>>,
{
    type Item = Result<Leaf>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = match (self.flat.peek(), self.history.peek()) {
                (_, None) | (Some(Err(_)), _) => Ordering::Less,
                (None, Some(_)) | (_, Some(Err(_))) => Ordering::Greater,
                (Some(Ok((flat, _))), Some(Ok((old, _)))) => flat.cmp(old),
            };
            if order == Ordering::Less {
                return self.flat.next();
            }
            if order == Ordering::Equal {
                self.flat.next();
            }
            match self.history.next() {
                Some(Ok((_, old))) if old == NOTHING => {}
                leaf => return leaf,
            }
        }
    }
}

/// Stored leaves with changes laid over them; a change hides the stored leaf, and `None` removes it.
pub(crate) fn overlaid<'a>(
    stored: Box<dyn Iterator<Item = Result<Leaf>> + 'a>,
    changes: impl Iterator<Item = (B256, Option<Vec<u8>>)> + 'a,
) -> Box<dyn Iterator<Item = Result<Leaf>> + 'a> {
    let (mut stored, mut changes) = (stored.peekable(), changes.peekable());
    Box::new(std::iter::from_fn(move || {
        loop {
            let order = match (stored.peek(), changes.peek()) {
                (None, None) => return None,
                (Some(Err(_)), _) | (_, None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(Ok((key, _))), Some((changed, _))) => key.cmp(changed),
            };
            if order == Ordering::Less {
                return stored.next();
            }
            if order == Ordering::Equal {
                stored.next();
            }
            if let Some((key, Some(value))) = changes.next() {
                return Some(Ok((key, value)));
            }
        }
    }))
}
