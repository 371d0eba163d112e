//! Paid requests, their answers, and what checks them.

use super::{Reply, Service, body, operators, request_id};
use crate::{AnswerRecord, AnswerRequest, AttributorError, Case, answering, token::same};
use alloy_primitives::B256;
use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Take the prompt of an escrowed request, signed by its payer.
#[utoipa::path(
    post, operation_id = "ask", path = "/v1/answers", request_body = AnswerRequest,
    responses(
        (status = 200, description = "The request, taken on or as it stands.", body = AnswerRecord),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn ask(
    State(shared): Service,
    request: Result<Json<AnswerRequest>, JsonRejection>,
) -> Reply<AnswerRecord> {
    let record = answering::accept(&shared, body(request)?).await?;
    shared.work.notify_waiters();
    Ok(Json(record))
}

#[derive(Deserialize)]
pub(super) struct AnswerQuery {
    salt: Option<B256>,
}

/// A request with its answer for who may see it.
#[derive(Serialize, ToSchema)]
pub(super) struct AnswerView {
    #[serde(flatten)]
    record: AnswerRecord,
    /// Shown to who knows the prompt's salt.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

/// State, answer and shares; the answer only with the prompt's salt.
#[utoipa::path(
    get, operation_id = "answer", path = "/v1/answers/{request}",
    params(("request" = String, Path), ("salt" = Option<String>, Query)),
    responses(
        (status = 200, description = "The request, with its answer for who gives the salt.", body = AnswerView),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn answer(
    State(shared): Service,
    request: Result<Path<B256>, PathRejection>,
    query: Result<Query<AnswerQuery>, QueryRejection>,
) -> Reply<AnswerView> {
    let request = request_id(request)?;
    let Query(query) = query.map_err(|_| AttributorError::Invalid("a salt is 32 bytes in hex".into()))?;
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

/// All that a re-run of the receipt needs, rows and prompt among it: for the operator and for whom the operator trusts.
#[utoipa::path(
    get, operation_id = "case", path = "/v1/receipts/{request}/case",
    params(("request" = String, Path)), security(("token" = [])),
    responses(
        (status = 200, description = "The case.", body = Object),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn case(
    State(shared): Service,
    headers: HeaderMap,
    request: Result<Path<B256>, PathRejection>,
) -> Reply<Case> {
    operators(&shared, &headers, "cases are read")?;
    Ok(Json(crate::case::collect(&shared, request_id(request)?).await?))
}

/// Evidence delivered to the court, which only its judges can open.
#[utoipa::path(
    get, operation_id = "evidence", path = "/v1/evidence/{request}", params(("request" = String, Path)),
    responses(
        (status = 200, description = "The evidence, sealed.", body = Object),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn evidence(
    State(shared): Service,
    request: Result<Path<B256>, PathRejection>,
) -> Result<Response, AttributorError> {
    let request = request_id(request)?;
    let path = shared.evidence.join(format!("{request:x}.json"));
    let bytes = tokio::fs::read(&path)
        .await
        .map_err(|_| AttributorError::NotFound(format!("no evidence was delivered for {request}")))?;
    Ok(([(CONTENT_TYPE, "application/json")], bytes).into_response())
}
