//! Rows from their owners.

use super::{Reply, Service, body};
use crate::{ContributionUpload, uploads};
use alloy_primitives::B256;
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
};
use serde::Serialize;
use utoipa::ToSchema;

/// What was taken.
#[derive(Serialize, ToSchema)]
pub(super) struct Taken {
    #[schema(value_type = String)]
    root: B256,
    rows: usize,
}

/// Take the rows of a contribution, or of an open commitment to one, signed by their owner.
#[utoipa::path(
    post, operation_id = "upload_contribution", path = "/v1/contributions", request_body = ContributionUpload,
    responses(
        (status = 200, description = "What was taken.", body = Taken),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn upload(
    State(shared): Service,
    request: Result<Json<ContributionUpload>, JsonRejection>,
) -> Reply<Taken> {
    let upload = body(request)?;
    let (root, rows) = (upload.root, upload.rows.len());
    uploads::take(&shared, upload).await?;
    Ok(Json(Taken { root, rows }))
}
