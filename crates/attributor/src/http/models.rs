//! Trainings.

use super::{Reply, Service, body, model_name, operators};
use crate::{
    AttributorError, TrainingRecord, TrainingRequest, TrainingState,
    memory::Needs,
    progress::training_key,
    service::{MAX_UNFINISHED, Shared},
    training,
};
use axum::{
    Json,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::HeaderMap,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A training and how long it will take.
#[derive(Serialize, ToSchema)]
pub(super) struct TrainingView {
    #[serde(flatten)]
    record: TrainingRecord,
    /// Until the stage in hand is done, at the pace so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<f64>,
    /// What is in hand, or waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<crate::progress::StageView>,
}

impl TrainingView {
    fn of(shared: &Shared, record: TrainingRecord) -> Self {
        let work = training_key(&record.request.name);
        let (seconds_left, progress) = (shared.progress.seconds_left(&work), shared.progress.stage(&work));
        Self { seconds_left, progress, record }
    }
}

/// Train and register a model.
#[utoipa::path(
    post, operation_id = "order_model", path = "/v1/models", request_body = TrainingRequest, security(("token" = [])),
    responses(
        (status = 200, description = "The training, queued or as it stands.", body = TrainingRecord),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn order(
    State(shared): Service,
    headers: HeaderMap,
    request: Result<Json<TrainingRequest>, JsonRejection>,
) -> Reply<TrainingRecord> {
    operators(&shared, &headers, "trainings are ordered")?;
    let request = body(request)?;
    training::check(&request, &shared.model_config)?;
    // How many rows there are is known once it begins; what cannot even fit without any is refused here.
    Needs::of_training(&shared.model_config, &training::config(&request.training), 0, 0)?
        .can_fit(shared.device)?;
    let order = TrainingRecord { request, state: TrainingState::Queued, trained: None };
    let record = shared.journal.admit_training(&order, MAX_UNFINISHED)?;
    shared.work.notify_waiters();
    Ok(Json(record))
}

/// All trainings, without the rows of their models.
#[utoipa::path(
    get, operation_id = "list_models", path = "/v1/models",
    responses(
        (status = 200, description = "The trainings, by name.", body = Vec<TrainingView>),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn list(State(shared): Service) -> Reply<Vec<TrainingView>> {
    let trainings = shared.journal.trainings()?.into_iter().map(|mut record| {
        record.trained.iter_mut().for_each(|trained| trained.rows.clear());
        TrainingView::of(&shared, record)
    });
    Ok(Json(trainings.collect()))
}

/// Progress, losses, dataset versions, model number.
#[utoipa::path(
    get, operation_id = "model", path = "/v1/models/{name}", params(("name" = String, Path)),
    responses(
        (status = 200, description = "The training.", body = TrainingView),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn named(
    State(shared): Service,
    name: Result<Path<String>, PathRejection>,
) -> Reply<TrainingView> {
    let name = model_name(name)?;
    let found = shared.journal.training(&name)?;
    let record = found.ok_or_else(|| AttributorError::NotFound(format!("no training is named {name}")))?;
    Ok(Json(TrainingView::of(&shared, record)))
}

/// Cancel a training that is not finished; the name can be ordered again.
#[utoipa::path(
    delete, operation_id = "cancel_model", path = "/v1/models/{name}",
    params(("name" = String, Path)), security(("token" = [])),
    responses(
        (status = 200, description = "The training, cancelled.", body = TrainingRecord),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn cancel(
    State(shared): Service,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
) -> Reply<TrainingRecord> {
    operators(&shared, &headers, "trainings are cancelled")?;
    let name = model_name(name)?;
    let ended = shared.journal.cancel_training(&name)?;
    shared.progress.end(&training_key(&name));
    Ok(Json(ended))
}
