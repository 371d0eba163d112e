//! From an escrowed request to its receipt.

use crate::{
    AnswerRecord, AnswerRequest, AnswerState, AttributorError, ClusterCredit, ModelRecord, TrainingRecord,
    TrainingState, answer_message,
    service::{MAX_UNFINISHED, Shared},
};
use alloy_primitives::{Address, B256, Signature, U256, keccak256};
use openledger_abi::{IAttribution, IPayouts};
use openledger_attribution::{Scores, ShareConfig, attribute, gradients};
use openledger_content_store::{Row, contribution_root};
use openledger_model::PrefixCache;
use openledger_shares::{answer_hash, fee_wei, prompt_hash};
use std::sync::Arc;
use tracing::info;

/// Longest prompt taken, bytes.
const MAX_PROMPT_BYTES: usize = 2_000;
/// Cache for the one sequence of an answer, bytes.
const ANSWER_CACHE_BYTES: usize = 64 << 20;

/// Shares of a receipt that are read from the chain at a time.
const LINEAGE_PAGE: usize = 64;

/// Checks a prompt against its escrow and takes it into the journal.
pub(crate) async fn accept(
    shared: &Arc<Shared>,
    request: AnswerRequest,
) -> Result<AnswerRecord, AttributorError> {
    let request_id = request.request_id;
    if request.prompt.is_empty() || request.prompt.len() > MAX_PROMPT_BYTES {
        return Err(AttributorError::Invalid(format!("a prompt has 1 to {MAX_PROMPT_BYTES} bytes")));
    }
    if let Some(known) = shared.journal.answer(request_id)? {
        signed_by(known.payer, &answer_message(request_id), &request.signature)?;
        return Ok(known);
    }
    if shared.journal.unanswered_count()? >= MAX_UNFINISHED as u64 {
        return Err(AttributorError::Busy("too many requests are unanswered"));
    }
    let escrow = shared.chain.call(IPayouts::requestOfCall { requestId: request_id }).await?;
    signed_by(escrow.payer, &answer_message(request_id), &request.signature)?;
    if prompt_hash(request.salt, request.prompt.as_bytes()) != escrow.promptHash {
        return Err(AttributorError::Invalid(
            "prompt and salt do not hash to the escrowed prompt hash".into(),
        ));
    }
    if escrow.status != IPayouts::Status::Open {
        return Err(AttributorError::Conflict(format!("request {request_id} is not open")));
    }
    if escrow.deadline <= shared.chain.now().await? {
        return Err(AttributorError::Expired(request_id));
    }
    model_named(shared, escrow.model)?;
    let prompt = vec![Row { salt: request.salt, text: request.prompt }];
    let prompt_root = contribution_root(&prompt)?;
    shared.keep(prompt_root, prompt).await?;
    let record = AnswerRecord {
        request_id,
        model: escrow.model,
        payer: escrow.payer,
        max_fee_wei: escrow.maxFee,
        state: AnswerState::Queued,
        prompt_root,
        answer_root: None,
        answer_hash: None,
        score_root: None,
        tokens_in: 0,
        tokens_out: 0,
        unattributed_ppm: 0,
        credits: Vec::new(),
    };
    shared.journal.admit_answer(&record, MAX_UNFINISHED)
}

/// Answers, scores and settles a request of the journal.
///
/// The answer is in the journal before anything is sent, so every later try settles the same receipt; and the chain
/// is asked before and after, for an earlier try may have got there.
pub(crate) async fn run(shared: Arc<Shared>, mut record: AnswerRecord) -> Result<(), AttributorError> {
    let request_id = record.request_id;
    shared.chain.nothing_pending().await?;
    let escrow = shared.chain.call(IPayouts::requestOfCall { requestId: request_id }).await?;
    let now = shared.chain.now().await?;
    match next_step(escrow.status, escrow.deadline, now) {
        Step::GiveUp => return Err(AttributorError::Expired(request_id)),
        Step::ReadBack => {}
        Step::Settle => {
            if record.answer_hash.is_none() {
                prepare(&shared, &mut record).await?;
            }
            match settle(&shared, &record).await {
                Ok((block, transaction)) => {
                    info!(request = %request_id, block, payees = record.credits.len(), "settled");
                    record.state = AnswerState::Settled { block, transaction };
                    return shared.journal.put_answer(&record);
                }
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => {
                    let escrow = shared.chain.call(IPayouts::requestOfCall { requestId: request_id }).await?;
                    if escrow.status != IPayouts::Status::Settled {
                        return Err(error);
                    }
                }
            }
        }
    }
    read_back(&shared, &mut record).await?;
    info!(request = %request_id, payees = record.credits.len(), "was settled already");
    shared.journal.put_answer(&record)
}

/// What is left to do for a request, by its escrow.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Settle,
    ReadBack,
    GiveUp,
}

/// `deadline` and `now`, the time of the latest block, are Unix seconds; the next block is later than `now`.
fn next_step(status: IPayouts::Status, deadline: u64, now: u64) -> Step {
    match status {
        IPayouts::Status::Settled => Step::ReadBack,
        IPayouts::Status::Open if now < deadline => Step::Settle,
        _ => Step::GiveUp,
    }
}

/// Has the model answer, and puts the answer and what shaped it into store and journal.
async fn prepare(shared: &Arc<Shared>, record: &mut AnswerRecord) -> Result<(), AttributorError> {
    let (training, model) = model_named(shared, record.model)?;
    let on_chain = shared.chain.call(IAttribution::modelOfCall { model: record.model }).await?;
    let prompt = shared.store.row(record.prompt_root, 0).await?;
    let name = training.request.name;
    let salt = answer_salt(prompt.salt, record.request_id);
    let limits = Limits::of(&on_chain.spec.price, record.max_fee_wei, shared.max_answer_tokens);
    let lab = shared.lab.clone();
    let outcome = lab.run(move |bench| answer(bench, &name, &model, &prompt.text, &limits)).await?;

    // Tokens that are no text leave nothing to keep.
    if !outcome.text.is_empty() {
        let text = vec![Row { salt, text: outcome.text }];
        let root = contribution_root(&text)?;
        shared.keep(root, text).await?;
        record.answer_root = Some(root);
    }
    record.answer_hash = Some(answer_hash(salt, &outcome.tokens));
    record.score_root = Some(outcome.score_root);
    record.tokens_in = outcome.tokens_in;
    record.tokens_out = u32::try_from(outcome.tokens.len()).unwrap_or(u32::MAX);
    record.unattributed_ppm = outcome.unattributed_ppm;
    record.credits = outcome.credits;
    shared.journal.put_answer(record)
}

/// Sends the receipt; block and transaction.
async fn settle(shared: &Shared, record: &AnswerRecord) -> Result<(u64, B256), AttributorError> {
    let sent = shared.chain.send(IAttribution::settleCall { receipt: receipt(record) }, U256::ZERO).await?;
    Ok((sent.block_number.unwrap_or_default(), sent.transaction_hash))
}

/// The receipt of a prepared answer.
fn receipt(record: &AnswerRecord) -> IAttribution::Receipt {
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
async fn read_back(shared: &Shared, record: &mut AnswerRecord) -> Result<(), AttributorError> {
    let request_id = record.request_id;
    let info = shared.chain.call(IAttribution::receiptOfCall { requestId: request_id }).await?;
    let transaction = shared.chain.settlement_of(request_id, info.blockNumber).await?;
    let mut credits = Vec::new();
    while credits.len() < info.shareCount as usize {
        let page = IAttribution::lineageOfCall {
            requestId: request_id,
            offset: U256::from(credits.len()),
            limit: U256::from(LINEAGE_PAGE),
        };
        let page = shared.chain.call(page).await?;
        if page.entries.is_empty() {
            return Err(AttributorError::Chain(format!("the lineage of {request_id} ends too early")));
        }
        credits.extend(page.entries.iter().map(|entry| ClusterCredit {
            contribution: entry.contribution,
            row: entry.row,
            ppm: entry.ppm,
        }));
    }
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
    }
    record.answer_hash = Some(info.answerHash);
    record.score_root = Some(info.scoreRoot);
    record.tokens_in = info.tokensIn;
    record.tokens_out = info.tokensOut;
    record.unattributed_ppm = info.unattributedPpm;
    record.credits = credits;
    record.state = AnswerState::Settled { block: info.blockNumber, transaction };
}

/// What the escrow allows.
struct Limits {
    price: openledger_shares::Price,
    max_fee_wei: U256,
    max_answer_tokens: usize,
}

impl Limits {
    fn of(price: &IAttribution::Price, max_fee_wei: U256, max_answer_tokens: usize) -> Self {
        let price = openledger_shares::Price {
            per_token_in_wei: price.perTokenIn,
            per_token_out_wei: price.perTokenOut,
            platform_fee_wei: price.platformFee,
        };
        Self { price, max_fee_wei, max_answer_tokens }
    }

    /// How many tokens of answer the maximum fee pays for after this many of prompt.
    fn answer_tokens(&self, tokens_in: u32) -> Result<usize, AttributorError> {
        let (mut low, mut high) = (0, self.max_answer_tokens);
        while low < high {
            let middle = (low + high).div_ceil(2);
            let tokens = u32::try_from(middle).unwrap_or(u32::MAX);
            if fee_wei(&self.price, tokens_in, tokens) <= self.max_fee_wei {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        if low == 0 {
            let reason =
                format!("the escrow does not pay for the prompt's {tokens_in} tokens and one of answer");
            return Err(AttributorError::Invalid(reason));
        }
        Ok(low)
    }
}

struct Outcome {
    text: String,
    tokens: Vec<u32>,
    tokens_in: u32,
    unattributed_ppm: u32,
    credits: Vec<ClusterCredit>,
    score_root: B256,
}

/// The part that runs on the model's thread.
fn answer(
    bench: &mut crate::lab::Bench,
    name: &str,
    record: &ModelRecord,
    question: &str,
    limits: &Limits,
) -> Result<Outcome, AttributorError> {
    let (model, tokenizer, loaded) = bench.loaded(name)?;
    let prompt = tokenizer.chat_prompt(question)?;
    let tokens_in = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
    let max_tokens = limits.answer_tokens(tokens_in)?;
    let generation = model.generate(tokenizer, Some(&loaded.adapter), &prompt, max_tokens)?;
    if generation.tokens.is_empty() {
        return Err(AttributorError::Invalid("the model has no answer to this prompt".into()));
    }
    let sequence = tokenizer.answer(&prompt, &generation.tokens)?;
    let first_layer = loaded.adapter.config().first_layer(model.config());
    let mut cache = PrefixCache::new(first_layer, ANSWER_CACHE_BYTES);
    let taken = gradients(model, &loaded.adapter, &mut cache, &[&sequence])?;
    let scores = Scores::new(&loaded.scorer.scores(&taken)?)?;
    let shares = attribute(&scores, ShareConfig::default())?;
    let mut credits: Vec<ClusterCredit> = shares
        .shares
        .iter()
        .filter_map(|share| {
            let place = record.rows.get(share.cluster)?;
            Some(ClusterCredit { contribution: place.contribution, row: place.row, ppm: share.ppm })
        })
        .collect();
    credits.sort_unstable_by_key(|credit| (credit.contribution, credit.row));
    Ok(Outcome {
        text: tokenizer.decode(&generation.tokens)?,
        tokens: generation.tokens,
        tokens_in,
        unattributed_ppm: shares.unattributed_ppm,
        credits,
        score_root: scores.root(),
    })
}

/// The training whose model has that number on chain and can answer.
fn model_named(shared: &Shared, model: u64) -> Result<(TrainingRecord, ModelRecord), AttributorError> {
    for training in shared.journal.trainings()? {
        if let (TrainingState::Ready, Some(trained)) = (&training.state, &training.trained)
            && trained.model == Some(model)
        {
            let trained = trained.clone();
            return Ok((training, trained));
        }
    }
    Err(AttributorError::NotFound(format!("model {model} is not served here")))
}

/// Known to the payer, who knows the prompt's salt, and to nobody else.
fn answer_salt(prompt_salt: B256, request_id: B256) -> B256 {
    keccak256([b"openledger answer".as_slice(), prompt_salt.as_slice(), request_id.as_slice()].concat())
}

/// Checks an EIP-191 signature.
pub(crate) fn signed_by(account: Address, message: &str, signature: &[u8]) -> Result<(), AttributorError> {
    let signer = Signature::try_from(signature)
        .and_then(|signature| signature.recover_address_from_msg(message))
        .map_err(|error| AttributorError::Invalid(format!("signature: {error}")))?;
    if signer == account && account != Address::ZERO {
        Ok(())
    } else {
        Err(AttributorError::Forbidden(format!("the signature is {signer}'s, not {account}'s")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openledger_abi::IPayouts::Status;

    fn limits(max_fee_wei: u64) -> Limits {
        let price = IAttribution::Price { perTokenIn: 5, perTokenOut: 20, platformFee: 100 };
        Limits::of(&price, U256::from(max_fee_wei), 48)
    }

    #[test]
    fn answer_is_as_long_as_the_escrow_pays_for_and_never_longer() {
        for max_fee in 0..1_300 {
            let limits = limits(max_fee);
            let Ok(tokens) = limits.answer_tokens(10) else {
                assert!(fee_wei(&limits.price, 10, 1) > limits.max_fee_wei, "{max_fee} pays for a token");
                continue;
            };
            let fee = |tokens: usize| fee_wei(&limits.price, 10, tokens as u32);
            assert!((1..=48).contains(&tokens) && fee(tokens) <= limits.max_fee_wei);
            assert!(tokens == 48 || fee(tokens + 1) > limits.max_fee_wei, "{max_fee} pays for more");
        }
        assert_eq!(limits(u64::MAX).answer_tokens(10).unwrap(), 48);
        assert!(limits(u64::MAX).answer_tokens(u32::MAX).is_ok());
        let refused = limits(100).answer_tokens(10).unwrap_err();
        assert!(!refused.is_retryable() && refused.to_string().contains("10 tokens"), "{refused}");
    }

    #[test]
    fn escrow_decides_what_is_left_to_do() {
        assert_eq!(next_step(Status::Open, 100, 99), Step::Settle);
        assert_eq!(next_step(Status::Open, 100, 100), Step::GiveUp);
        assert_eq!(next_step(Status::Settled, 100, 500), Step::ReadBack);
        assert_eq!(next_step(Status::Refunded, 100, 1), Step::GiveUp);
        assert_eq!(next_step(Status::None, 100, 1), Step::GiveUp);
    }

    fn prepared() -> AnswerRecord {
        AnswerRecord {
            request_id: B256::repeat_byte(1),
            model: 1,
            payer: Address::ZERO,
            max_fee_wei: U256::from(9),
            state: AnswerState::Queued,
            prompt_root: B256::repeat_byte(2),
            answer_root: Some(B256::repeat_byte(3)),
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
