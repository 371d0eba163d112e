//! Jobs: evaluations and scores.

use super::{Reply, Service, body};
use crate::{
    AttributorError, JobOrder, JobRecord,
    jobs::{self, Caller},
    progress::job_key,
    service::Shared,
};
use axum::{
    Json,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
};
use serde::Serialize;
use utoipa::ToSchema;

/// Jobs that a list holds, the newest.
const MAX_LISTED: usize = 256;

/// A job and how far it is.
#[derive(Serialize, ToSchema)]
pub(super) struct JobView {
    #[serde(flatten)]
    record: JobRecord,
    /// What is in hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<crate::progress::StageView>,
}

impl JobView {
    fn of(shared: &Shared, record: JobRecord) -> Self {
        Self { progress: shared.progress.stage(&job_key(record.id)), record }
    }
}

/// Order an evaluation or scores. Refused with 429 while the token's quota is full, with 413 above it, with 507 where it
/// would not fit into memory.
#[utoipa::path(
    post, operation_id = "order_job", path = "/v1/jobs", request_body = JobOrder, security(("token" = [])),
    responses(
        (status = 200, description = "The job, queued.", body = JobView),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn order(
    State(shared): Service,
    caller: Caller,
    order: Result<Json<JobOrder>, JsonRejection>,
) -> Reply<JobView> {
    let record = jobs::accept(&shared, &caller, &body(order)?).await?;
    shared.work.notify_waiters();
    Ok(Json(JobView::of(&shared, record)))
}

/// The newest jobs of the token, or of all for the operator; without their results.
#[utoipa::path(
    get, operation_id = "list_jobs", path = "/v1/jobs", security(("token" = [])),
    responses(
        (status = 200, description = "The jobs, newest first.", body = Vec<JobView>),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn list(State(shared): Service, caller: Caller) -> Reply<Vec<JobView>> {
    let whose = (!caller.is_operator).then_some(caller.name.as_str());
    let own = shared.journal.jobs(whose, MAX_LISTED)?;
    let views = own.into_iter().map(|job| JobView::of(&shared, job));
    Ok(Json(views.collect()))
}

/// A job with its result, once it is done.
#[utoipa::path(
    get, operation_id = "job", path = "/v1/jobs/{id}", params(("id" = u64, Path)), security(("token" = [])),
    responses(
        (status = 200, description = "The job.", body = JobView),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn numbered(
    State(shared): Service,
    caller: Caller,
    id: Result<Path<u64>, PathRejection>,
) -> Reply<JobView> {
    let record = own(&shared, &caller, id)?;
    Ok(Json(JobView::of(&shared, record)))
}

/// Cancel a job that is not finished.
#[utoipa::path(
    delete, operation_id = "cancel_job", path = "/v1/jobs/{id}", params(("id" = u64, Path)), security(("token" = [])),
    responses(
        (status = 200, description = "The job, cancelled.", body = JobView),
        (status = "default", description = "Refused, and why.", body = super::Refusal),
    ),
)]
pub(super) async fn cancel(
    State(shared): Service,
    caller: Caller,
    id: Result<Path<u64>, PathRejection>,
) -> Reply<JobView> {
    let record = own(&shared, &caller, id)?;
    let ended = jobs::cancel(&shared, &record).await?;
    Ok(Json(JobView::of(&shared, ended)))
}

/// A job that the caller may see. Another's is as little there as none.
fn own(
    shared: &Shared,
    caller: &Caller,
    id: Result<Path<u64>, PathRejection>,
) -> Result<JobRecord, AttributorError> {
    let Path(id) = id.map_err(|_| AttributorError::Invalid("a job is a number".into()))?;
    let found = shared.journal.job(id)?.filter(|job| caller.may_touch(&job.caller));
    found.ok_or_else(|| AttributorError::NotFound(format!("there is no job {id} of this token")))
}
