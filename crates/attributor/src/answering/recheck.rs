//! Receipts are looked at again until L1 holds their block, for until then a reorganisation may move or lose them.

use super::read_back;
use crate::{AnswerRecord, AnswerState, AttributorError, service::Shared};
use openledger_abi::IAttribution;
use tracing::info;

/// Receipts that are looked at in one pass.
const AT_A_TIME: usize = 1_000;

/// What became of a receipt.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It is where it was, and L1 may still lose it.
    Unsafe,
    /// It is in another block now.
    Moved,
    /// Its block is safe.
    Safe,
    /// It is gone.
    Lost,
}

/// `recorded` and `on_chain` are the receipt's block, `safe` the latest block that L1 holds.
fn fate(recorded: u64, on_chain: Option<u64>, safe: u64) -> Fate {
    match on_chain {
        None => Fate::Lost,
        Some(block) if block <= safe => Fate::Safe,
        Some(block) if block != recorded => Fate::Moved,
        Some(_) => Fate::Unsafe,
    }
}

/// Brings the journal to what the chain says of every receipt that was not safe yet.
pub(crate) async fn recheck(shared: &Shared) -> Result<(), AttributorError> {
    let records = shared.journal.unsafe_answers(AT_A_TIME)?;
    if records.is_empty() {
        return Ok(());
    }
    // Asked first, so that a receipt that is found up to this block is as safe as the block.
    let safe = shared.chain.safe().await?;
    let calls: Vec<_> =
        records.iter().map(|record| IAttribution::receiptOfCall { requestId: record.request_id }).collect();
    for (record, info) in records.into_iter().zip(shared.chain.call_many(&calls).await?) {
        let on_chain = match info {
            Ok(info) => Some(info.blockNumber),
            Err(AttributorError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        follow(shared, record, on_chain, safe).await?;
    }
    Ok(())
}

async fn follow(
    shared: &Shared,
    mut record: AnswerRecord,
    on_chain: Option<u64>,
    safe: u64,
) -> Result<(), AttributorError> {
    let AnswerState::Settled { block: recorded, .. } = record.state else { return Ok(()) };
    let request_id = record.request_id;
    match fate(recorded, on_chain, safe) {
        Fate::Unsafe => Ok(()),
        Fate::Moved => {
            read_back(shared, &mut record).await?;
            info!(request = %request_id, from = recorded, to = on_chain, "the chain moved a receipt");
            shared.journal.put_answer(&record)
        }
        Fate::Safe => {
            read_back(shared, &mut record).await?;
            shared.journal.put_answer(&record)?;
            shared.journal.receipt_is_safe(request_id)
        }
        Fate::Lost => {
            info!(request = %request_id, block = recorded, "the chain lost a receipt, settling again");
            record.state = AnswerState::Queued;
            shared.journal.put_answer(&record)?;
            shared.work.notify_waiters();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answering::receipt::tests::prepared, stub, stub::StubChain};
    use alloy_primitives::B256;
    use alloy_sol_types::{SolCall, SolError, SolEvent};
    use openledger_abi::ATTRIBUTION;

    #[tokio::test]
    async fn journal_follows_a_receipt_to_its_new_block_until_that_is_safe() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, record) = (StubChain::start().await, prepared());
        let request = record.request_id;
        let settled = IAttribution::ReceiptSettled::SIGNATURE_HASH;
        let (block, transaction) = chain.logs(ATTRIBUTION, &[settled, request], &[]).await;
        let info = IAttribution::ReceiptInfo {
            model: 1,
            attestor: Default::default(),
            settledAt: 50,
            blockNumber: block,
            shareCount: 0,
            unattributedPpm: 1_000_000,
            tokensIn: 6,
            tokensOut: 7,
            answerHash: B256::repeat_byte(4),
            scoreRoot: B256::repeat_byte(5),
            fee: Default::default(),
            contributorsWei: Default::default(),
            number: 1,
            tailPpm: 0,
            status: IAttribution::ReceiptStatus::Settled,
        };
        chain.returns(ATTRIBUTION, &IAttribution::receiptOfCall::abi_encode_returns(&info)).await;
        let shared = stub::service(folder.path(), chain.connect());
        let stale = AnswerState::Settled { block: block + 9, transaction: B256::ZERO };
        shared.journal.put_answer(&AnswerRecord { state: stale, ..record }).unwrap();

        recheck(&shared).await.unwrap();
        let followed = shared.journal.answer(request).unwrap().unwrap();
        assert_eq!(followed.state, AnswerState::Settled { block, transaction });
        assert_eq!(shared.journal.unsafe_answers(9).unwrap(), std::slice::from_ref(&followed));
        chain.mine(100).await;
        recheck(&shared).await.unwrap();
        assert!(shared.journal.unsafe_answers(9).unwrap().is_empty());
        assert_eq!(shared.journal.answer(request).unwrap().unwrap(), followed);
    }

    #[tokio::test]
    async fn receipt_that_the_chain_lost_is_settled_again() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, record) = (StubChain::start().await, prepared());
        let lost = IAttribution::UnknownReceipt { requestId: record.request_id };
        chain.reverts(ATTRIBUTION, &lost.abi_encode()).await;
        let shared = stub::service(folder.path(), chain.connect());
        let state = AnswerState::Settled { block: 5, transaction: B256::ZERO };
        shared.journal.put_answer(&AnswerRecord { state, ..record.clone() }).unwrap();
        recheck(&shared).await.unwrap();
        assert_eq!(shared.journal.unanswered().unwrap(), [record]);
    }

    #[test]
    fn receipt_is_followed_until_its_block_is_safe() {
        assert_eq!(fate(7, Some(7), 6), Fate::Unsafe);
        assert_eq!(fate(7, Some(7), 7), Fate::Safe);
        assert_eq!(fate(7, Some(9), 8), Fate::Moved);
        assert_eq!(fate(7, Some(9), 9), Fate::Safe);
        assert_eq!(fate(7, None, 9), Fate::Lost);
    }
}
