//! Rows offered over HTTP: taken only for what is on chain, and let go of again where it comes to nothing.
//!
//! Rows of a revealed contribution stay. Rows of a commitment that is still open count against quotas until they are
//! revealed; when the time to reveal them has passed they are removed.

use crate::{
    AttributorError, ContributionUpload, OnChain,
    journal::{Holding, PendingUpload, Quotas},
    service::{Shared, to_its_end},
    signature::signed_by,
    upload_message,
};
use alloy_primitives::B256;
use openledger_abi::IDatanets;
use openledger_content_store::Row;
use openledger_shares::contribution_commitment;
use std::sync::Arc;
use tracing::info;

/// What may wait to be revealed.
const QUOTAS: Quotas = Quotas {
    account: Holding { uploads: 16, bytes: 128 << 20 },
    total: Holding { uploads: 1_024, bytes: 4 << 30 },
};
/// Blocks by which a reorganisation may move a commitment or its reveal.
const SLACK_BLOCKS: u64 = 64;
/// Bytes that a row takes besides its text: its salt.
const ROW_OVERHEAD_BYTES: usize = 32;

/// Takes rows in, if they are what the chain says.
pub(crate) async fn take(shared: &Arc<Shared>, upload: ContributionUpload) -> Result<(), AttributorError> {
    signed_by(upload.owner, &upload_message(upload.datanet, upload.root), &upload.signature)?;
    match upload.on_chain {
        OnChain::Contribution(contribution) => {
            let info = shared.chain.call(IDatanets::contributionOfCall { contribution }).await?;
            is_of(&upload, contribution, &info)?;
            shared.keep(upload.root, upload.rows).await
        }
        OnChain::CommitmentSalt(salt) => {
            let pending = committed(shared, &upload, salt).await?;
            if matches!(shared.journal.check_upload(&pending, &QUOTAS), Err(AttributorError::Busy(_))) {
                // Some may have been revealed since the chain was asked last.
                sweep(shared).await?;
            }
            hold(shared, pending, upload.rows).await
        }
    }
}

/// Whether an upload is of a revealed contribution. Its root is compared with the rows when they are stored.
fn is_of(
    upload: &ContributionUpload,
    contribution: u64,
    info: &IDatanets::Contribution,
) -> Result<(), AttributorError> {
    if info.owner != upload.owner {
        let reason = format!("contribution {contribution} is {}'s, not {}'s", info.owner, upload.owner);
        return Err(AttributorError::Forbidden(reason));
    }
    for (what, revealed, given) in [
        ("Datanet", info.datanet.to_string(), upload.datanet.to_string()),
        ("root", info.root.to_string(), upload.root.to_string()),
        ("number of rows", info.rows.to_string(), upload.rows.len().to_string()),
    ] {
        if revealed != given {
            let reason = format!("the {what} of contribution {contribution} is {revealed}, not {given}");
            return Err(AttributorError::Invalid(reason));
        }
    }
    Ok(())
}

/// The open commitment that an upload is of.
async fn committed(
    shared: &Shared,
    upload: &ContributionUpload,
    salt: B256,
) -> Result<PendingUpload, AttributorError> {
    let (owner, root) = (upload.owner, upload.root);
    let commitment = contribution_commitment(shared.chain_id, upload.datanet, owner, root, salt);
    let open = shared.chain.call(IDatanets::commitmentOfCall { owner, commitment }).await?;
    if open.committedBlock == 0 {
        return Err(AttributorError::Conflict(format!(
            "{owner} has no open commitment to root {root} with this salt: commit first, or name the \
             contribution if it was revealed"
        )));
    }
    let window = shared.chain.call(IDatanets::revealWindowCall {}).await?;
    let last_block = open.committedBlock.saturating_add(window);
    if shared.chain.latest().await? >= last_block {
        return Err(AttributorError::Conflict(format!(
            "the commitment could be revealed until block {last_block}: commit again"
        )));
    }
    let bytes = upload.rows.iter().map(|row| row.text.len() + ROW_OVERHEAD_BYTES).sum::<usize>() as u64;
    Ok(PendingUpload { root, owner, commitment, bytes, first_block: open.committedBlock, last_block })
}

/// Stores rows that may come to nothing. Goes on to its end when the caller is cancelled.
async fn hold(shared: &Arc<Shared>, pending: PendingUpload, rows: Vec<Row>) -> Result<(), AttributorError> {
    let shared = Arc::clone(shared);
    to_its_end(async move {
        let _one_at_a_time = shared.storing.lock().await;
        let waits = shared.journal.is_pending(pending.root)?;
        if shared.store.contains(pending.root).await? && !waits {
            // They are here for good.
            return Ok(shared.store.put(pending.root, &rows).await?);
        }
        // First the journal, so that nothing is stored that nobody would remove.
        let is_new = shared.journal.admit_upload(&pending, &QUOTAS)?;
        let stored = shared.store.put(pending.root, &rows).await;
        if stored.is_err() && is_new {
            let_go(&shared, &pending).await?;
        }
        Ok(stored?)
    })
    .await
}

/// Removes the rows of an upload that came to nothing, unless they wait for another one too. Only while `storing` is
/// locked.
async fn let_go(shared: &Shared, upload: &PendingUpload) -> Result<(), AttributorError> {
    if shared.journal.pending_owners(upload.root)? == [upload.owner] {
        shared.store.remove(upload.root).await?;
    }
    shared.journal.forget_upload(upload)
}

/// Looks at what became of the uploads that wait.
pub(crate) async fn sweep(shared: &Shared) -> Result<(), AttributorError> {
    let uploads = shared.journal.uploads()?;
    if uploads.is_empty() {
        return Ok(());
    }
    let calls: Vec<_> = uploads
        .iter()
        .map(|upload| IDatanets::commitmentOfCall { owner: upload.owner, commitment: upload.commitment })
        .collect();
    let (safe, open) = (shared.chain.safe().await?, shared.chain.call_many(&calls).await?);
    for (upload, open) in uploads.iter().zip(open) {
        let last_block = upload.last_block.saturating_add(SLACK_BLOCKS);
        let blocks = upload.first_block.saturating_sub(SLACK_BLOCKS)..=last_block;
        if open?.committedBlock == 0 && shared.chain.is_revealed(upload.owner, upload.root, blocks).await? {
            let _one_at_a_time = shared.storing.lock().await;
            shared.journal.keep_for_good(upload.root)?;
        } else if safe > last_block {
            let _one_at_a_time = shared.storing.lock().await;
            // It may have been named as a revealed contribution's in the meantime.
            if shared.journal.pending_owners(upload.root)?.contains(&upload.owner) {
                let_go(shared, upload).await?;
                info!(root = %upload.root, owner = %upload.owner, "removed rows that were not revealed in time");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{stub, stub::StubChain};
    use alloy_primitives::{Address, Bytes, U256};
    use alloy_signer_local::PrivateKeySigner;
    use alloy_sol_types::{SolCall, SolEvent, SolValue};
    use openledger_abi::DATANETS;
    use openledger_content_store::contribution_root;

    fn upload() -> (ContributionUpload, IDatanets::Contribution) {
        let rows = vec![Row { salt: B256::ZERO, text: "row".into() }; 2];
        let root = contribution_root(&rows).unwrap();
        let owner = Address::repeat_byte(1);
        let info = IDatanets::Contribution {
            owner,
            datanet: 3,
            rows: 2,
            licence: 3,
            expiry: 0,
            root,
            priority: 1,
            sinceVersion: 0,
            status: IDatanets::ContributionStatus::Pending,
        };
        let on_chain = OnChain::Contribution(7);
        (ContributionUpload { datanet: 3, owner, root, on_chain, rows, signature: Bytes::new() }, info)
    }

    #[test]
    fn only_the_rows_that_were_revealed_are_a_contributions() {
        let (upload, info) = upload();
        is_of(&upload, 7, &info).unwrap();
        let refused = |change: fn(&mut IDatanets::Contribution)| {
            let mut info = info.clone();
            change(&mut info);
            is_of(&upload, 7, &info).unwrap_err().to_string()
        };
        assert!(refused(|info| info.owner = Address::ZERO).contains("not 0x0101"));
        assert!(refused(|info| info.datanet = 4).contains("Datanet of contribution 7 is 4, not 3"));
        assert!(refused(|info| info.root = B256::ZERO).contains("root of contribution 7"));
        assert!(refused(|info| info.rows = 3).contains("number of rows of contribution 7 is 3, not 2"));
    }

    /// The same rows, signed, for an open commitment.
    fn signed(owner: &PrivateKeySigner) -> ContributionUpload {
        use alloy_signer::SignerSync;
        let (mut upload, _) = upload();
        upload.owner = owner.address();
        upload.on_chain = OnChain::CommitmentSalt(B256::ZERO);
        let message = upload_message(upload.datanet, upload.root);
        upload.signature = owner.sign_message_sync(message.as_bytes()).unwrap().as_bytes().into();
        upload
    }

    /// What the chain says of any commitment, and its first word of the reveal window.
    async fn committed_in(chain: &StubChain, window: u64, block: u64) {
        chain.returns(DATANETS, &(U256::from(window), U256::from(block), U256::from(1)).abi_encode()).await;
    }

    #[tokio::test]
    async fn rows_without_a_commitment_are_refused_and_those_of_one_that_lapses_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, owner) = (StubChain::start().await, PrivateKeySigner::random());
        let shared = stub::service(folder.path(), chain.connect());
        let root = signed(&owner).root;
        chain.mine(2).await;
        committed_in(&chain, 0, 0).await;
        let refused = take(&shared, signed(&owner)).await.unwrap_err();
        assert!(matches!(refused, AttributorError::Conflict(_)), "{refused}");
        committed_in(&chain, 1, 1).await;
        let late = take(&shared, signed(&owner)).await.unwrap_err();
        assert!(late.to_string().contains("until block 2"), "{late}");
        committed_in(&chain, 100, 1).await;
        let mut others = signed(&owner);
        others.rows.pop();
        assert!(take(&shared, others).await.unwrap_err().to_string().contains("hash to"));
        let mut forged = signed(&owner);
        forged.owner = Address::repeat_byte(1);
        assert!(matches!(take(&shared, forged).await, Err(AttributorError::Forbidden(_))));
        assert!(!shared.store.contains(root).await.unwrap() && !shared.journal.is_pending(root).unwrap());

        take(&shared, signed(&owner)).await.unwrap();
        take(&shared, signed(&owner)).await.unwrap();
        sweep(&shared).await.unwrap();
        assert_eq!(shared.journal.pending_owners(root).unwrap(), [owner.address()]);
        chain.mine(300).await;
        sweep(&shared).await.unwrap();
        assert!(!shared.store.contains(root).await.unwrap() && !shared.journal.is_pending(root).unwrap());
    }

    #[tokio::test]
    async fn revealed_rows_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, owner) = (StubChain::start().await, PrivateKeySigner::random());
        let shared = stub::service(folder.path(), chain.connect());
        let root = signed(&owner).root;
        committed_in(&chain, 100, 1).await;
        take(&shared, signed(&owner)).await.unwrap();
        let revealed = IDatanets::Revealed {
            contribution: 7,
            datanet: 3,
            owner: owner.address(),
            root,
            rows: 2,
            licence: 3,
            expiry: 0,
            priority: 1,
        }
        .encode_log_data();
        chain.logs(DATANETS, revealed.topics(), &revealed.data).await;
        committed_in(&chain, 0, 0).await;
        sweep(&shared).await.unwrap();
        assert!(!shared.journal.is_pending(root).unwrap(), "it fills no quota any more");
        chain.mine(300).await;
        sweep(&shared).await.unwrap();
        assert!(shared.store.contains(root).await.unwrap());
    }

    #[tokio::test]
    async fn rows_that_are_named_as_a_contributions_stay_without_a_quota() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, owner) = (StubChain::start().await, PrivateKeySigner::random());
        let shared = stub::service(folder.path(), chain.connect());
        let (_, mut info) = upload();
        info.owner = owner.address();
        chain.returns(DATANETS, &IDatanets::contributionOfCall::abi_encode_returns(&info)).await;
        take(&shared, ContributionUpload { on_chain: OnChain::Contribution(7), ..signed(&owner) })
            .await
            .unwrap();
        assert!(shared.store.contains(info.root).await.unwrap());
        assert!(!shared.journal.is_pending(info.root).unwrap());
    }
}
