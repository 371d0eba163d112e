//! What was reported as stored, noted beside the database: so that a log which lost its end is noticed,
//! even where it looks like one that was never longer.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    os::unix::fs::FileExt,
    path::Path,
};

use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, keccak256};

use crate::{
    Result, StorageError,
    codec::{Commit, array, decode_number},
};

/// The file's name inside the database's folder.
pub(crate) const FILE_NAME: &str = "reported";

const BYTES: usize = 56;

/// Blocks that had been reported as stored and were lost, because the database's log was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostBlocks {
    /// Which of all writes the last lost one was: no two losses have the same, not even of the same blocks.
    pub generation: u64,
    /// The head that had been reported.
    pub reported: BlockNumHash,
    /// The head that was found, from which the chain went on.
    pub last_good: BlockNumHash,
}

impl LostBlocks {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let blocks = [self.reported, self.last_good];
        let mut bytes = self.generation.to_be_bytes().to_vec();
        bytes.extend(
            blocks.iter().flat_map(|block| [&block.number.to_be_bytes()[..], block.hash.as_slice()].concat()),
        );
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        const WHAT: &str = "lost blocks";
        let bytes: [u8; 88] = array(WHAT, bytes)?;
        let block = |at: usize| -> Result<BlockNumHash> {
            let number = decode_number(WHAT, &bytes[at..at + 8])?;
            Ok(BlockNumHash::new(number, B256::from_slice(&bytes[at + 8..at + 40])))
        };
        Ok(Self { generation: decode_number(WHAT, &bytes[..8])?, reported: block(8)?, last_good: block(48)? })
    }
}

/// The file: generation, number and hash of the head (big-endian), and the start of their keccak-256.
///
/// It is written after each synced write and not synced itself. So it outlives a killed process, and after
/// a power loss it may say less than what is stored, but never more.
#[derive(Debug)]
pub(crate) struct DurableMark {
    file: File,
    found: Option<(u64, BlockNumHash)>,
}

impl DurableMark {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let failed =
            |error: std::io::Error| StorageError::Folder { path: path.clone(), reason: error.to_string() };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        let mut bytes = Vec::with_capacity(BYTES);
        (&mut file).take(BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Self { file, found: decode(&bytes) })
    }

    /// What was lost, where more had been reported than `commit`.
    pub(crate) fn lost_since(&self, commit: &Commit) -> Option<LostBlocks> {
        let (generation, reported) = self.found?;
        let last_good = commit.heads.latest;
        (generation > commit.generation).then_some(LostBlocks { generation, reported, last_good })
    }

    pub(crate) fn set(&mut self, commit: &Commit) -> Result<()> {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&commit.generation.to_be_bytes());
        bytes[8..16].copy_from_slice(&commit.heads.latest.number.to_be_bytes());
        bytes[16..48].copy_from_slice(commit.heads.latest.hash.as_slice());
        let checksum = keccak256(&bytes[..48]);
        bytes[48..].copy_from_slice(&checksum[..8]);
        self.file
            .write_all_at(&bytes, 0)
            .map_err(|error| StorageError::Folder { path: FILE_NAME.into(), reason: error.to_string() })
    }
}

/// `None` for what is no such file: nothing can be said then.
fn decode(bytes: &[u8]) -> Option<(u64, BlockNumHash)> {
    let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
    if keccak256(&bytes[..48])[..8] != bytes[48..] {
        return None;
    }
    let number = |at: usize| decode_number("", &bytes[at..at + 8]).ok();
    Some((number(0)?, BlockNumHash::new(number(8)?, B256::from_slice(&bytes[16..48]))))
}
