//! Who this is and how it does.

use super::{Reply, Service};
use crate::AttributorError;
use alloy_primitives::{Address, B256};
use axum::{Json, extract::State, http::StatusCode};
use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use openledger_abi::IAttribution;
use serde::Serialize;
use std::sync::OnceLock;
use utoipa::ToSchema;

/// Who serves.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    #[schema(value_type = String)]
    account: Address,
    chain_id: u64,
    /// Hash of the base model.
    #[schema(value_type = String)]
    base: B256,
    bond_wei: String,
    locked_wei: String,
    max_answer_tokens: usize,
    /// Whether contributors can preview what their rows would have earned.
    previews: bool,
}

/// Who this is.
#[utoipa::path(
    get, operation_id = "status", path = "/v1/status",
    responses(
        (status = 200, description = "Who this is.", body = Status),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn status(State(shared): Service) -> Reply<Status> {
    let account = shared.chain.account();
    let bond = shared.chain.call(IAttribution::bondOfCall { attestor: account }).await?;
    Ok(Json(Status {
        account,
        chain_id: shared.chain_id,
        base: shared.base_hash,
        bond_wei: bond.total.to_string(),
        locked_wei: bond.locked.to_string(),
        max_answer_tokens: shared.max_answer_tokens,
        previews: shared.previews.are_given(),
    }))
}

/// How it does.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ready`, `degraded` or `dead`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Ready when the chain answers, degraded when it does not; a dead model thread is not live.
#[utoipa::path(
    get, operation_id = "health", path = "/health",
    responses(
        (status = 200, description = "Ready.", body = Health),
        (status = 500, description = "Dead.", body = Health),
        (status = 503, description = "Degraded.", body = Health),
    ),
)]
pub(super) async fn health(State(shared): Service) -> (StatusCode, Json<Health>) {
    if !shared.lab.is_alive() {
        let reason = Some(AttributorError::LabStopped.to_string());
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(Health { state: "dead", reason }));
    }
    match shared.chain.chain_id().await {
        Ok(_) => (StatusCode::OK, Json(Health { state: "ready", reason: None })),
        Err(error) => {
            let reason = Some(error.to_string());
            (StatusCode::SERVICE_UNAVAILABLE, Json(Health { state: "degraded", reason }))
        }
    }
}

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Collects this process's metrics, unless another recorder was installed before.
pub(super) fn install_metrics() {
    METRICS.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let _ = metrics::set_global_recorder(recorder);
        handle
    });
}

/// Queue lengths, seconds by stage, refusals and failures, free memory: as Prometheus reads them.
#[utoipa::path(
    get, operation_id = "metrics", path = "/metrics",
    responses(
        (status = 200, description = "The metrics in Prometheus' text format.", body = String, content_type = "text/plain"),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn metrics(State(shared): Service) -> Result<String, AttributorError> {
    for (queue, length) in [
        ("trainings", shared.journal.unfinished_training_count()?),
        ("answers", shared.journal.unanswered_count()?),
        ("jobs", shared.journal.unfinished_job_count()?),
        ("model", shared.lab.waiting() as u64),
    ] {
        gauge!("attributor_queue_length", "queue" => queue).set(length as f64);
    }
    let handle = METRICS.get().ok_or(AttributorError::Busy("metrics are not collected yet"))?;
    handle.run_upkeep();
    Ok(handle.render())
}
