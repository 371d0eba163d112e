//! Which earlier rows share a band of their signature with a new one, in bounded memory.
//!
//! A table of chains in two flat arrays: sixteen bytes an entry and four to eight a slot. A chain
//! takes no more than [`MAX_COMPARISONS`] rows of one key, the earliest ones, which bounds the work that
//! rows made to collide can cause.

/// Rows of one band's key that a new row is compared with.
pub(super) const MAX_COMPARISONS: usize = 64;

const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u32,
    slot_hash: u32,
    cluster: u32,
    next: u32,
}

#[derive(Debug)]
pub(super) struct Bands {
    heads: Vec<u32>,
    entries: Vec<Entry>,
}

impl Bands {
    pub(super) fn new() -> Self {
        Self { heads: vec![NONE; 1024], entries: vec![] }
    }

    fn slot(&self, slot_hash: u32) -> usize {
        slot_hash as usize & (self.heads.len() - 1)
    }

    /// Calls `found` with every cluster under a key.
    pub(super) fn each(&self, hash: u64, mut found: impl FnMut(u32)) {
        let (slot_hash, key) = split(hash);
        let mut at = self.heads[self.slot(slot_hash)];
        while let Some(entry) = self.entries.get(at as usize) {
            if entry.key == key && entry.slot_hash == slot_hash {
                found(entry.cluster);
            }
            at = entry.next;
        }
    }

    /// Files a cluster under a key, unless that is full.
    pub(super) fn insert(&mut self, hash: u64, cluster: u32) {
        let mut there = 0;
        self.each(hash, |_| there += 1);
        if there >= MAX_COMPARISONS || self.entries.len() >= NONE as usize {
            return;
        }
        if self.entries.len() >= self.heads.len() {
            self.grow();
        }
        let (slot_hash, key) = split(hash);
        let slot = self.slot(slot_hash);
        let next = self.heads[slot];
        self.heads[slot] = self.entries.len() as u32;
        self.entries.push(Entry { key, slot_hash, cluster, next });
    }

    fn grow(&mut self) {
        self.heads = vec![NONE; self.heads.len() * 2];
        for at in 0..self.entries.len() {
            let slot = self.slot(self.entries[at].slot_hash);
            self.entries[at].next = self.heads[slot];
            self.heads[slot] = at as u32;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.heads.capacity() * size_of::<u32>() + self.entries.capacity() * size_of::<Entry>()
    }
}

const fn split(hash: u64) -> (u32, u32) {
    (hash as u32, (hash >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_filed_is_found_again_after_growth() {
        let mut bands = Bands::new();
        for i in 0..5000u32 {
            bands.insert(u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15), i);
        }
        for i in 0..5000u32 {
            let mut found = vec![];
            bands.each(u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15), |cluster| found.push(cluster));
            assert_eq!(found, [i]);
        }
    }

    #[test]
    fn flooded_key_keeps_its_earliest_rows_alone() {
        let mut bands = Bands::new();
        (0..10_000).for_each(|cluster| bands.insert(42, cluster));
        let mut found = vec![];
        bands.each(42, |cluster| found.push(cluster));
        found.sort_unstable();
        assert_eq!(found, (0..MAX_COMPARISONS as u32).collect::<Vec<_>>());
    }
}
