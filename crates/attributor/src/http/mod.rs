//! The HTTP face.

use crate::{
    AnswerRecord, AnswerRequest, AttributorError, Case, ContributionUpload, TrainingRecord, TrainingRequest,
    TrainingState, answering,
    service::{MAX_UNFINISHED, Shared},
    token::same,
    training, uploads,
};
use alloy_primitives::B256;
use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, Path, Query, Request, State,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{
        HeaderMap, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use openledger_abi::IAttribution;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Largest body of an upload, bytes: a contribution of the largest size, as JSON.
const MAX_CONTRIBUTION_BODY_BYTES: usize = 96 << 20;
/// Largest body of any other request, bytes.
const MAX_BODY_BYTES: usize = 64 << 10;
/// Uploads at one time.
const MAX_UPLOADS: usize = 4;

type Service = State<Arc<Shared>>;
type Reply<T> = Result<Json<T>, AttributorError>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let large = Router::new()
        .route("/v1/contributions", post(upload))
        .layer(DefaultBodyLimit::max(MAX_CONTRIBUTION_BODY_BYTES))
        .layer(from_fn_with_state(Arc::new(Semaphore::new(MAX_UPLOADS)), few_at_a_time));
    let small = Router::new()
        .route("/v1/models", post(order_training).get(trainings))
        .route("/v1/models/{name}", get(training_named).delete(cancel_training))
        .route("/v1/answers", post(ask))
        .route("/v1/answers/{request}", get(answer))
        .route("/v1/receipts/{request}/case", get(case))
        .route("/v1/evidence/{request}", get(evidence))
        .route("/v1/status", get(status))
        .route("/health", get(health))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    large.merge(small).method_not_allowed_fallback(wrong_method).fallback(no_route).with_state(shared)
}

impl IntoResponse for AttributorError {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({ "error": self.to_string() }))).into_response()
    }
}

fn body<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, AttributorError> {
    body.map(|Json(value)| value).map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return AttributorError::TooLarge;
        }
        // The parser quotes what it does not expect, which may be a prompt or a row; the place is enough.
        let text = rejection.body_text();
        let place = text.rfind(" at line ").map_or("", |at| &text[at..]);
        AttributorError::Invalid(match rejection {
            JsonRejection::MissingJsonContentType(_) => "the content type is not application/json".into(),
            JsonRejection::JsonSyntaxError(_) => format!("the body is not JSON{place}"),
            _ => format!("the body has not the fields of this route, or not of their types{place}"),
        })
    })
}

/// One contribution is large: more than a few at a time would fill the memory.
async fn few_at_a_time(
    State(uploads): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Result<Response, AttributorError> {
    let _permit = uploads.try_acquire().map_err(|_| AttributorError::Busy("too many uploads at a time"))?;
    Ok(next.run(request).await)
}

async fn no_route() -> AttributorError {
    AttributorError::NotFound("there is no such route".into())
}

async fn wrong_method(method: Method) -> AttributorError {
    AttributorError::WrongMethod(method)
}

async fn upload(
    State(shared): Service,
    request: Result<Json<ContributionUpload>, JsonRejection>,
) -> Reply<Value> {
    let upload = body(request)?;
    let (root, rows) = (upload.root, upload.rows.len());
    uploads::take(&shared, upload).await?;
    Ok(Json(json!({ "root": root, "rows": rows })))
}

async fn order_training(
    State(shared): Service,
    headers: HeaderMap,
    request: Result<Json<TrainingRequest>, JsonRejection>,
) -> Reply<TrainingRecord> {
    operators(&shared, &headers, "trainings are ordered")?;
    let request = body(request)?;
    training::check(&request, &shared.model_config)?;
    let order = TrainingRecord { request, state: TrainingState::Queued, trained: None };
    let record = shared.journal.admit_training(&order, MAX_UNFINISHED)?;
    shared.work.notify_waiters();
    Ok(Json(record))
}

/// Refuses who has not the operator's token.
fn operators(shared: &Shared, headers: &HeaderMap, what: &str) -> Result<(), AttributorError> {
    let given =
        headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    if given.is_some_and(|given| shared.operator_token.is(given)) {
        return Ok(());
    }
    Err(AttributorError::Forbidden(format!("{what} with the operator's token (operator.token)")))
}

/// All that a re-run needs, rows and prompt among it: for the operator and for whom the operator trusts.
async fn case(
    State(shared): Service,
    headers: HeaderMap,
    request: Result<Path<B256>, PathRejection>,
) -> Reply<Case> {
    operators(&shared, &headers, "cases are read")?;
    let Path(request) =
        request.map_err(|_| AttributorError::Invalid("a receipt is 32 bytes in hex".into()))?;
    Ok(Json(crate::case::collect(&shared, request).await?))
}

/// Evidence that was delivered; only judges can open it.
async fn evidence(
    State(shared): Service,
    request: Result<Path<B256>, PathRejection>,
) -> Result<Response, AttributorError> {
    let Path(request) =
        request.map_err(|_| AttributorError::Invalid("a receipt is 32 bytes in hex".into()))?;
    let path = shared.evidence.join(format!("{request:x}.json"));
    let bytes = tokio::fs::read(&path)
        .await
        .map_err(|_| AttributorError::NotFound(format!("no evidence was delivered for {request}")))?;
    Ok(([(CONTENT_TYPE, "application/json")], bytes).into_response())
}

async fn trainings(State(shared): Service) -> Reply<Vec<TrainingRecord>> {
    Ok(Json(shared.journal.trainings()?))
}

async fn training_named(State(shared): Service, Path(name): Path<String>) -> Reply<TrainingRecord> {
    let found = shared.journal.training(&name)?;
    found.map(Json).ok_or_else(|| AttributorError::NotFound(format!("no training is named {name}")))
}

async fn cancel_training(
    State(shared): Service,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Reply<TrainingRecord> {
    operators(&shared, &headers, "trainings are cancelled")?;
    Ok(Json(shared.journal.cancel_training(&name)?))
}

async fn ask(
    State(shared): Service,
    request: Result<Json<AnswerRequest>, JsonRejection>,
) -> Reply<AnswerRecord> {
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
    request: Result<Path<B256>, PathRejection>,
    query: Result<Query<AnswerQuery>, QueryRejection>,
) -> Reply<AnswerView> {
    let hash = |what: &str| AttributorError::Invalid(format!("{what} is 32 bytes in hex"));
    let (Path(request), Query(query)) =
        (request.map_err(|_| hash("a request"))?, query.map_err(|_| hash("a salt"))?);
    let record = shared
        .journal
        .answer(request)?
        .ok_or_else(|| AttributorError::NotFound(format!("request {request} was not asked here")))?;
    let mut answer = None;
    if let (Some(salt), Some(root)) = (query.salt, record.answer_root)
        && same(shared.store.row(record.prompt_root, 0).await?.salt, salt)
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
    if !shared.lab.is_alive() {
        let reason = AttributorError::LabStopped.to_string();
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "state": "dead", "reason": reason })));
    }
    match shared.chain.chain_id().await {
        Ok(_) => (StatusCode::OK, Json(json!({ "state": "ready" }))),
        Err(error) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "state": "degraded", "reason": error.to_string() })),
        ),
    }
}

#[cfg(test)]
mod tests;
