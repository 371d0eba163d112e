//! What contributors need to see what rows of theirs would have earned, without showing those to anyone.

use super::{Reply, Service, request_id};
use crate::{AttributorError, preview::PublishedSketch};
use alloy_primitives::B256;
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

fn file(bytes: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}

/// A model's adapter, safetensors.
#[utoipa::path(
    get, path = "/v1/models/{name}/adapter", params(("name" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", body = super::Refusal)
    ),
)]
pub(super) async fn adapter(
    State(shared): Service,
    Path(name): Path<String>,
) -> Result<Response, AttributorError> {
    Ok(file(shared.previews.adapter(&shared, &name).await?))
}

/// What each number of a gradient is weighted by in this model's inner products: f64, little-endian.
#[utoipa::path(
    get, path = "/v1/models/{name}/weights", params(("name" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", body = super::Refusal)
    ),
)]
pub(super) async fn weights(
    State(shared): Service,
    Path(name): Path<String>,
) -> Result<Response, AttributorError> {
    Ok(file(shared.previews.weights(&shared, &name).await?))
}

/// A settled answer's side of scores, as a random sketch.
#[utoipa::path(
    get, path = "/v1/receipts/{request}/preview", params(("request" = String, Path)),
    responses((status = 200, body = PublishedSketch), (status = "default", body = super::Refusal)),
)]
pub(super) async fn receipt(
    State(shared): Service,
    request: Result<Path<B256>, PathRejection>,
) -> Reply<PublishedSketch> {
    Ok(Json(shared.previews.sketch(&shared, request_id(request)?).await?))
}
