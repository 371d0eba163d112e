//! Uploads that wait to be revealed, under quotas.

use super::{Journal, decode, encode};
use crate::AttributorError;
use alloy_primitives::{Address, B256};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

/// Root ++ owner → [`PendingUpload`] as JSON.
const UPLOADS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pending uploads");

/// Rows that are stored for a commitment that is not revealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingUpload {
    pub(crate) root: B256,
    pub(crate) owner: Address,
    pub(crate) commitment: B256,
    /// Bytes that the rows take.
    pub(crate) bytes: u64,
    /// Block of the commitment.
    pub(crate) first_block: u64,
    /// Last block in which it can be revealed.
    pub(crate) last_block: u64,
}

/// How much is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) uploads: u64,
    pub(crate) bytes: u64,
}

/// How much may be held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quotas {
    /// By one account.
    pub(crate) account: Holding,
    /// By all together.
    pub(crate) total: Holding,
}

impl Holding {
    fn add(&mut self, upload: &PendingUpload) {
        self.uploads += 1;
        self.bytes = self.bytes.saturating_add(upload.bytes);
    }

    fn exceeds(&self, quota: &Self) -> bool {
        self.uploads > quota.uploads || self.bytes > quota.bytes
    }
}

impl PendingUpload {
    fn key(&self) -> Vec<u8> {
        [self.root.as_slice(), self.owner.as_slice()].concat()
    }
}

impl Quotas {
    /// Whether `upload` may join those that wait.
    fn admit(&self, upload: &PendingUpload, waiting: &[PendingUpload]) -> Result<(), AttributorError> {
        let (mut account, mut total) = (Holding::default(), Holding::default());
        let others = waiting.iter().filter(|other| other.key() != upload.key());
        for held in others.chain([upload]) {
            total.add(held);
            if held.owner == upload.owner {
                account.add(held);
            }
        }
        if account.exceeds(&self.account) {
            return Err(AttributorError::Busy("this account's rows that wait to be revealed fill its quota"));
        }
        if total.exceeds(&self.total) {
            return Err(AttributorError::Busy("the rows that wait to be revealed fill the store's quota"));
        }
        Ok(())
    }
}

impl Journal {
    /// The uploads that wait.
    pub(crate) fn uploads(&self) -> Result<Vec<PendingUpload>, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = match snapshot.open_table(UPLOADS) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table.map_err(AttributorError::journal)?,
        };
        let rows = table.iter().map_err(AttributorError::journal)?;
        rows.map(|row| decode(row.map_err(AttributorError::journal)?.1.value())).collect()
    }

    /// Whose uploads of these rows wait.
    pub(crate) fn pending_owners(&self, root: B256) -> Result<Vec<Address>, AttributorError> {
        let of_root = self.uploads()?.into_iter().filter(|upload| upload.root == root);
        Ok(of_root.map(|upload| upload.owner).collect())
    }

    /// Whether these rows are held only until they are revealed.
    pub(crate) fn is_pending(&self, root: B256) -> Result<bool, AttributorError> {
        Ok(!self.pending_owners(root)?.is_empty())
    }

    /// Whether [`Self::admit_upload`] would take it.
    pub(crate) fn check_upload(
        &self,
        upload: &PendingUpload,
        quotas: &Quotas,
    ) -> Result<(), AttributorError> {
        quotas.admit(upload, &self.uploads()?)
    }

    /// Takes an upload on, in one step; whether it is a new one. More than the quotas allow is an error.
    pub(crate) fn admit_upload(
        &self,
        upload: &PendingUpload,
        quotas: &Quotas,
    ) -> Result<bool, AttributorError> {
        let value = encode(upload)?;
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        let is_new = {
            let mut table = transaction.open_table(UPLOADS).map_err(AttributorError::journal)?;
            let mut waiting = Vec::new();
            for row in table.iter().map_err(AttributorError::journal)? {
                waiting.push(decode(row.map_err(AttributorError::journal)?.1.value())?);
            }
            quotas.admit(upload, &waiting)?;
            table
                .insert(upload.key().as_slice(), value.as_slice())
                .map_err(AttributorError::journal)?
                .is_none()
        };
        transaction.commit().map_err(AttributorError::journal)?;
        Ok(is_new)
    }

    /// Forgets an upload.
    pub(crate) fn forget_upload(&self, upload: &PendingUpload) -> Result<(), AttributorError> {
        self.forget_uploads(std::slice::from_ref(upload))
    }

    /// Forgets every upload of these rows: they stay.
    pub(crate) fn keep_for_good(&self, root: B256) -> Result<(), AttributorError> {
        let of_root: Vec<_> = self.uploads()?.into_iter().filter(|upload| upload.root == root).collect();
        if of_root.is_empty() { Ok(()) } else { self.forget_uploads(&of_root) }
    }

    fn forget_uploads(&self, uploads: &[PendingUpload]) -> Result<(), AttributorError> {
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        {
            let mut table = transaction.open_table(UPLOADS).map_err(AttributorError::journal)?;
            for upload in uploads {
                table.remove(upload.key().as_slice()).map_err(AttributorError::journal)?;
            }
        }
        transaction.commit().map_err(AttributorError::journal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(root: u8, owner: u8, bytes: u64) -> PendingUpload {
        PendingUpload {
            root: B256::repeat_byte(root),
            owner: Address::repeat_byte(owner),
            commitment: B256::ZERO,
            bytes,
            first_block: 1,
            last_block: 9,
        }
    }

    #[test]
    fn quotas_bound_each_account_and_all_together() {
        let quotas =
            Quotas { account: Holding { uploads: 2, bytes: 100 }, total: Holding { uploads: 3, bytes: 150 } };
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.redb")).unwrap();
        let admit = |upload: PendingUpload| journal.admit_upload(&upload, &quotas);
        let full = |outcome| matches!(outcome, Err(AttributorError::Busy(_)));
        assert!(admit(upload(1, 1, 60)).unwrap());
        assert!(!admit(upload(1, 1, 60)).unwrap(), "the same again is not counted twice");
        assert!(full(admit(upload(2, 1, 41))), "bytes of an account");
        assert!(admit(upload(2, 1, 40)).unwrap());
        assert!(full(admit(upload(3, 1, 0))), "uploads of an account");
        assert!(full(admit(upload(3, 2, 51))), "bytes of all");
        assert!(admit(upload(1, 2, 0)).unwrap(), "the same rows of another account");
        assert!(full(admit(upload(4, 3, 0))), "uploads of all");
        assert_eq!(journal.uploads().unwrap().len(), 3, "refusals change nothing");
    }

    #[test]
    fn rows_that_are_kept_for_good_free_every_quota_they_filled() {
        let quotas =
            Quotas { account: Holding { uploads: 9, bytes: 9 }, total: Holding { uploads: 9, bytes: 9 } };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.redb");
        let journal = Journal::open(&path).unwrap();
        assert!(!journal.is_pending(B256::repeat_byte(1)).unwrap());
        for upload in [upload(1, 1, 1), upload(1, 2, 1), upload(2, 1, 1)] {
            journal.admit_upload(&upload, &quotas).unwrap();
        }
        assert_eq!(journal.pending_owners(B256::repeat_byte(1)).unwrap().len(), 2);
        journal.keep_for_good(B256::repeat_byte(1)).unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.uploads().unwrap(), [upload(2, 1, 1)]);
        journal.forget_upload(&upload(2, 1, 1)).unwrap();
        assert!(!journal.is_pending(B256::repeat_byte(2)).unwrap());
    }
}
