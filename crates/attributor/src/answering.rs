//! From an escrowed request to its receipt.

use crate::{
    AnswerRecord, AnswerRequest, AnswerState, AttributorError, ClusterCredit, ModelRecord, TrainingRecord,
    TrainingState, answer_message, service::Shared,
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

/// Checks a prompt against its escrow and takes it into the journal.
pub(crate) async fn accept(shared: &Shared, request: AnswerRequest) -> Result<AnswerRecord, AttributorError> {
    let request_id = request.request_id;
    if request.prompt.is_empty() || request.prompt.len() > MAX_PROMPT_BYTES {
        return Err(AttributorError::Invalid(format!("a prompt has 1 to {MAX_PROMPT_BYTES} bytes")));
    }
    let escrow = shared.chain.call(IPayouts::requestOfCall { requestId: request_id }).await?;
    signed_by(escrow.payer, &answer_message(request_id), &request.signature)?;
    if prompt_hash(request.salt, request.prompt.as_bytes()) != escrow.promptHash {
        return Err(AttributorError::Invalid(
            "prompt and salt do not hash to the escrowed prompt hash".into(),
        ));
    }
    if let Some(known) = shared.journal.answer(request_id)? {
        return Ok(known);
    }
    if escrow.status != IPayouts::Status::Open {
        return Err(AttributorError::Conflict(format!("request {request_id} is not open")));
    }
    if escrow.deadline <= shared.chain.now().await? {
        return Err(AttributorError::Expired(request_id));
    }
    model_named(shared, escrow.model)?;
    let prompt = [Row { salt: request.salt, text: request.prompt }];
    let prompt_root = contribution_root(&prompt)?;
    shared.store.put(prompt_root, &prompt).await?;
    let record = AnswerRecord {
        request_id,
        model: escrow.model,
        payer: escrow.payer,
        max_fee_wei: escrow.maxFee,
        state: AnswerState::Queued,
        prompt_root,
        answer_root: None,
        tokens_in: 0,
        tokens_out: 0,
        unattributed_ppm: 0,
        credits: Vec::new(),
    };
    shared.journal.put_answer(&record)?;
    Ok(record)
}

/// Answers, scores and settles a request of the journal.
pub(crate) async fn run(shared: Arc<Shared>, mut record: AnswerRecord) -> Result<(), AttributorError> {
    let request_id = record.request_id;
    let escrow = shared.chain.call(IPayouts::requestOfCall { requestId: request_id }).await?;
    if escrow.status == IPayouts::Status::Refunded {
        return Err(AttributorError::Expired(request_id));
    }
    let (training, model) = model_named(&shared, record.model)?;
    let prompt = shared.store.row(record.prompt_root, 0).await?;
    let name = training.request.name;
    let salt = answer_salt(prompt.salt, request_id);
    let limits = Limits::of(&shared, record.max_fee_wei);
    let lab = shared.lab.clone();
    let outcome = lab.run(move |bench| answer(bench, &name, &model, &prompt.text, &limits)).await?;

    let text = [Row { salt, text: outcome.text }];
    // A model that ends its turn at once has answered nothing: there is nothing to keep.
    if !text[0].text.is_empty() {
        let root = contribution_root(&text)?;
        shared.store.put(root, &text).await?;
        record.answer_root = Some(root);
    }
    record.tokens_in = outcome.tokens_in;
    record.tokens_out = u32::try_from(outcome.tokens.len()).unwrap_or(u32::MAX);
    record.unattributed_ppm = outcome.unattributed_ppm;
    record.credits = outcome.credits;
    shared.journal.put_answer(&record)?;

    let (block, transaction) = match escrow.status {
        IPayouts::Status::Settled => shared
            .chain
            .settlement_of(request_id)
            .await?
            .ok_or_else(|| AttributorError::Chain("a settled request has no receipt".into()))?,
        _ => {
            let receipt = IAttribution::Receipt {
                requestId: request_id,
                answerHash: answer_hash(salt, &outcome.tokens),
                scoreRoot: outcome.score_root,
                tokensIn: record.tokens_in,
                tokensOut: record.tokens_out,
                unattributedPpm: record.unattributed_ppm,
                shares: record
                    .credits
                    .iter()
                    .map(|c| IAttribution::ClusterShare {
                        contribution: c.contribution,
                        row: c.row,
                        ppm: c.ppm,
                    })
                    .collect(),
            };
            let sent = shared.chain.send(IAttribution::settleCall { receipt }, U256::ZERO).await?;
            (sent.block_number.unwrap_or_default(), sent.transaction_hash)
        }
    };
    info!(request = %request_id, block, payees = record.credits.len(), "settled");
    record.state = AnswerState::Settled { block, transaction };
    shared.journal.put_answer(&record)
}

/// What the escrow allows.
struct Limits {
    price: openledger_shares::Price,
    max_fee_wei: U256,
    max_answer_tokens: usize,
}

impl Limits {
    fn of(shared: &Shared, max_fee_wei: U256) -> Self {
        let price = openledger_shares::Price {
            per_token_in_wei: shared.price.perTokenIn,
            per_token_out_wei: shared.price.perTokenOut,
            platform_fee_wei: shared.price.platformFee,
        };
        Self { price, max_fee_wei, max_answer_tokens: shared.max_answer_tokens }
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
