//! A receipt as it is sent, and as it is read back from the chain.

use crate::{AnswerRecord, AnswerState, AttributorError, ClusterCredit, chain::lineage, service::Shared};
use alloy_primitives::B256;
use openledger_abi::IAttribution;

/// The receipt of a prepared answer.
pub(super) fn receipt(record: &AnswerRecord) -> IAttribution::Receipt {
    let shares = record.credits.iter().map(|credit| IAttribution::ClusterShare {
        contribution: credit.contribution,
        row: credit.row,
        ppm: credit.ppm,
    });
    IAttribution::Receipt {
        requestId: record.request_id,
        answerHash: record.answer_hash.unwrap_or_default(),
        scoreRoot: record.score_root.unwrap_or_default(),
        tokensIn: record.tokens_in,
        tokensOut: record.tokens_out,
        unattributedPpm: record.unattributed_ppm,
        shares: shares.collect(),
    }
}

/// Makes the record say what the chain says of a request that is settled.
pub(super) async fn read_back(shared: &Shared, record: &mut AnswerRecord) -> Result<(), AttributorError> {
    let request_id = record.request_id;
    let info = shared.chain.call(IAttribution::receiptOfCall { requestId: request_id }).await?;
    let transaction = shared.chain.settlement_of(request_id, info.blockNumber).await?;
    let credits = lineage(&shared.chain, request_id, info.shareCount).await?;
    adopt(record, &info, credits, transaction);
    Ok(())
}

/// Takes a receipt over. A text that is not the one that was paid for is no longer shown as the answer.
fn adopt(
    record: &mut AnswerRecord,
    info: &IAttribution::ReceiptInfo,
    credits: Vec<ClusterCredit>,
    transaction: B256,
) {
    if record.answer_hash != Some(info.answerHash) {
        record.answer_root = None;
        record.inputs_root = None;
    }
    record.answer_hash = Some(info.answerHash);
    record.score_root = Some(info.scoreRoot);
    record.tokens_in = info.tokensIn;
    record.tokens_out = info.tokensOut;
    record.unattributed_ppm = info.unattributedPpm;
    record.credits = credits;
    record.state = AnswerState::Settled { block: info.blockNumber, transaction };
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloy_primitives::{Address, U256};

    pub(in super::super) fn prepared() -> AnswerRecord {
        AnswerRecord {
            request_id: B256::repeat_byte(1),
            model: 1,
            payer: Address::ZERO,
            deadline: 100,
            max_fee_wei: U256::from(9),
            state: AnswerState::Queued,
            prompt_root: B256::repeat_byte(2),
            answer_root: Some(B256::repeat_byte(3)),
            inputs_root: None,
            answer_hash: Some(B256::repeat_byte(4)),
            score_root: Some(B256::repeat_byte(5)),
            tokens_in: 6,
            tokens_out: 7,
            unattributed_ppm: 400_000,
            credits: vec![ClusterCredit { contribution: 8, row: 9, ppm: 600_000 }],
        }
    }

    #[test]
    fn prepared_answer_settles_the_same_receipt_after_a_restart() {
        let stored = serde_json::to_vec(&prepared()).unwrap();
        let read: AnswerRecord = serde_json::from_slice(&stored).unwrap();
        assert_eq!(receipt(&read), receipt(&prepared()));
        assert_eq!(receipt(&read).answerHash, B256::repeat_byte(4));
        assert_eq!(receipt(&read).scoreRoot, B256::repeat_byte(5));
        assert_eq!(receipt(&read).shares[0].ppm, 600_000);
    }

    #[test]
    fn receipt_on_chain_wins_over_the_journal() {
        let chains = vec![ClusterCredit { contribution: 1, row: 0, ppm: 900_000 }];
        let info = |hash| IAttribution::ReceiptInfo {
            model: 1,
            attestor: Address::ZERO,
            settledAt: 50,
            blockNumber: 44,
            shareCount: 1,
            unattributedPpm: 100_000,
            tokensIn: 6,
            tokensOut: 5,
            answerHash: hash,
            scoreRoot: B256::repeat_byte(7),
            fee: U256::from(5),
            contributorsWei: U256::from(3),
            number: 1,
            tailPpm: 0,
            status: IAttribution::ReceiptStatus::Settled,
        };
        let mut record = prepared();
        adopt(&mut record, &info(B256::repeat_byte(4)), chains.clone(), B256::repeat_byte(8));
        assert_eq!(record.state, AnswerState::Settled { block: 44, transaction: B256::repeat_byte(8) });
        assert_eq!(
            (record.credits.clone(), record.unattributed_ppm, record.tokens_out),
            (chains, 100_000, 5)
        );
        assert_eq!(record.answer_root, prepared().answer_root, "it is the answer that was paid for");
        let mut record = prepared();
        adopt(&mut record, &info(B256::repeat_byte(9)), Vec::new(), B256::ZERO);
        assert_eq!(record.answer_root, None, "another answer was paid for");
    }
}
