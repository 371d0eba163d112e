//! What contributors need to see what rows of theirs would have earned, without showing those to anyone.

use super::{Reply, Service, model_name, request_id};
use crate::{AttributorError, preview::PublishedSketch};
use alloy_primitives::B256;
use axum::{
    Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::{fs::File, io::AsyncReadExt};

/// Bytes of a file that are in memory at a time for a client.
const PIECE_BYTES: usize = 64 << 10;

/// A file, piece by piece: it may be large and its client slow.
fn file(file: File) -> Response {
    let pieces = stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE_BYTES];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then_some((piece, file)))
    });
    ([(CONTENT_TYPE, "application/octet-stream")], Body::from_stream(pieces)).into_response()
}

/// A model's adapter, safetensors.
#[utoipa::path(
    get, operation_id = "adapter", path = "/v1/models/{name}/adapter", params(("name" = String, Path)),
    responses(
        (status = 200, description = "The file.", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", description = "Refused, and why.", body = super::Refusal)
    ),
)]
pub(super) async fn adapter(
    State(shared): Service,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, AttributorError> {
    let name = model_name(name)?;
    Ok(file(shared.previews.adapter(&shared, &name).await?))
}

/// What each number of a gradient is weighted by in this model's inner products: f64, little-endian.
#[utoipa::path(
    get, operation_id = "weights", path = "/v1/models/{name}/weights", params(("name" = String, Path)),
    responses(
        (status = 200, description = "The numbers.", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", description = "Refused, and why.", body = super::Refusal)
    ),
)]
pub(super) async fn weights(
    State(shared): Service,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, AttributorError> {
    let name = model_name(name)?;
    Ok(file(shared.previews.weights(&shared, &name).await?))
}

/// A settled answer's side of scores, as a random sketch.
#[utoipa::path(
    get, operation_id = "preview", path = "/v1/receipts/{request}/preview", params(("request" = String, Path)),
    responses(
        (status = 200, description = "The sketch.", body = PublishedSketch),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn receipt(
    State(shared): Service,
    request: Result<Path<B256>, PathRejection>,
) -> Reply<PublishedSketch> {
    Ok(Json(shared.previews.sketch(&shared, request_id(request)?).await?))
}
