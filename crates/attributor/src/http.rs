//! The HTTP face.

use crate::{
    AnswerRecord, AnswerRequest, AttributorError, ContributionUpload, TrainingRecord, TrainingRequest,
    TrainingState,
    answering::{self, signed_by},
    service::{MAX_UNFINISHED, Shared},
    upload_message,
};
use alloy_primitives::B256;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Query, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use openledger_abi::IAttribution;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest request body, bytes: a contribution of the largest size, as JSON.
const MAX_BODY_BYTES: usize = 96 << 20;

type Service = State<Arc<Shared>>;
type Reply<T> = Result<Json<T>, AttributorError>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/contributions", post(upload))
        .route("/v1/models", post(order_training).get(trainings))
        .route("/v1/models/{name}", get(training))
        .route("/v1/answers", post(ask))
        .route("/v1/answers/{request}", get(answer))
        .route("/v1/status", get(status))
        .route("/health", get(health))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(shared)
}

impl IntoResponse for AttributorError {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({ "error": self.to_string() }))).into_response()
    }
}

fn body<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, AttributorError> {
    body.map(|Json(value)| value).map_err(|rejection| AttributorError::Invalid(rejection.body_text()))
}

async fn upload(
    State(shared): Service,
    request: Result<Json<ContributionUpload>, JsonRejection>,
) -> Reply<Value> {
    let upload = body(request)?;
    signed_by(upload.owner, &upload_message(upload.datanet, upload.root), &upload.signature)?;
    shared.store.put(upload.root, &upload.rows).await?;
    Ok(Json(json!({ "root": upload.root, "rows": upload.rows.len() })))
}

async fn order_training(
    State(shared): Service,
    headers: HeaderMap,
    request: Result<Json<TrainingRequest>, JsonRejection>,
) -> Reply<TrainingRecord> {
    let given =
        headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    if given != Some(shared.operator_token.as_str()) {
        return Err(AttributorError::Forbidden(
            "trainings are ordered with the operator's token (operator.token)".into(),
        ));
    }
    let request = body(request)?;
    check(&request)?;
    if let Some(known) = shared.journal.training(&request.name)? {
        let failed = matches!(known.state, TrainingState::Failed { .. });
        if known.request != request && !failed {
            return Err(AttributorError::Conflict(format!("another training is named {}", request.name)));
        }
        if !failed {
            return Ok(Json(known));
        }
    }
    if shared.journal.trainings()?.iter().filter(|t| t.is_open()).count() >= MAX_UNFINISHED {
        return Err(AttributorError::Busy("too many trainings are unfinished"));
    }
    let record = TrainingRecord { request, state: TrainingState::Queued, trained: None };
    shared.journal.put_training(&record)?;
    shared.work.notify_waiters();
    Ok(Json(record))
}

fn check(request: &TrainingRequest) -> Result<(), AttributorError> {
    let name_fits = (1..=64).contains(&request.name.len())
        && request.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !name_fits {
        return Err(AttributorError::Invalid("a name has 1 to 64 letters, digits, '-' or '_'".into()));
    }
    let ascending = request.datanets.windows(2).all(|pair| pair[0] < pair[1]);
    if request.datanets.is_empty() || request.datanets.len() > 16 || !ascending {
        return Err(AttributorError::Invalid("name 1 to 16 Datanets, ascending".into()));
    }
    Ok(())
}

async fn trainings(State(shared): Service) -> Reply<Vec<TrainingRecord>> {
    Ok(Json(shared.journal.trainings()?))
}

async fn training(State(shared): Service, Path(name): Path<String>) -> Reply<TrainingRecord> {
    let found = shared.journal.training(&name)?;
    found.map(Json).ok_or_else(|| AttributorError::NotFound(format!("no training is named {name}")))
}

async fn ask(
    State(shared): Service,
    request: Result<Json<AnswerRequest>, JsonRejection>,
) -> Reply<AnswerRecord> {
    if shared.journal.answers()?.iter().filter(|a| a.is_open()).count() >= MAX_UNFINISHED {
        return Err(AttributorError::Busy("too many requests are unanswered"));
    }
    let record = answering::accept(&shared, body(request)?).await?;
    shared.work.notify_waiters();
    Ok(Json(record))
}

#[derive(Deserialize)]
struct AnswerQuery {
    salt: Option<B256>,
}

#[derive(Serialize)]
struct AnswerView {
    #[serde(flatten)]
    record: AnswerRecord,
    /// Shown to who knows the prompt's salt.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

async fn answer(
    State(shared): Service,
    Path(request): Path<B256>,
    Query(query): Query<AnswerQuery>,
) -> Reply<AnswerView> {
    let record = shared
        .journal
        .answer(request)?
        .ok_or_else(|| AttributorError::NotFound(format!("request {request} was not asked here")))?;
    let mut answer = None;
    if let (Some(salt), Some(root)) = (query.salt, record.answer_root)
        && shared.store.row(record.prompt_root, 0).await?.salt == salt
    {
        answer = Some(shared.store.row(root, 0).await?.text);
    }
    Ok(Json(AnswerView { record, answer }))
}

async fn status(State(shared): Service) -> Reply<Value> {
    let account = shared.chain.account();
    let bond = shared.chain.call(IAttribution::bondOfCall { attestor: account }).await?;
    Ok(Json(json!({
        "account": account,
        "chain_id": shared.chain_id,
        "base": shared.base_hash,
        "bond_wei": bond.total.to_string(),
        "locked_wei": bond.locked.to_string(),
        "max_answer_tokens": shared.max_answer_tokens,
    })))
}

/// Ready when the chain answers, degraded when it does not; a dead model thread is not live.
async fn health(State(shared): Service) -> (StatusCode, Json<Value>) {
    match shared.chain.chain_id().await {
        Ok(_) => (StatusCode::OK, Json(json!({ "state": "ready" }))),
        Err(error) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "state": "degraded", "reason": error.to_string() })),
        ),
    }
}
