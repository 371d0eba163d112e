//! The HTTP face: JSON, described at `/openapi.json` from the same routes that serve it.

mod answers;
mod connections;
mod contributions;
mod jobs;
mod models;
mod previews;
mod status;

pub(crate) use self::connections::serve;

use crate::{AttributorError, jobs::Caller, service::Shared};
use alloy_primitives::B256;
use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, FromRequestParts, Path, Request, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::{HeaderMap, Method, StatusCode, header::AUTHORIZATION, request::Parts},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics::counter;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Semaphore;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Largest body of an upload, bytes: a contribution of the largest size, as JSON.
const MAX_CONTRIBUTION_BODY_BYTES: usize = 96 << 20;
/// Largest body of a job's order, bytes.
const MAX_JOB_BODY_BYTES: usize = 16 << 20;
/// Largest body of any other request, bytes.
const MAX_BODY_BYTES: usize = 64 << 10;
/// Large bodies of a kind at one time.
const MAX_LARGE: usize = 4;

type Service = State<Arc<Shared>>;
type Reply<T> = Result<Json<T>, AttributorError>;

/// What the description says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(title = "OpenLedger attributor"),
    components(schemas(Refusal)),
    modifiers(&Tokens)
)]
struct Description;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The operator's token (operator.token) or, for jobs, one of callers.json."))
            .build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// Every answer that is not a success.
#[derive(Serialize, ToSchema)]
struct Refusal {
    /// What is wrong and what to do.
    error: String,
}

/// All routes with their description.
fn described() -> (Router<Arc<Shared>>, utoipa::openapi::OpenApi) {
    // Contributions come from strangers: they have places of their own.
    let few = || from_fn_with_state(Arc::new(Semaphore::new(MAX_LARGE)), few_at_a_time);
    let large = OpenApiRouter::new()
        .routes(routes!(contributions::upload))
        .layer(DefaultBodyLimit::max(MAX_CONTRIBUTION_BODY_BYTES))
        .layer(few());
    let orders = OpenApiRouter::new()
        .routes(routes!(jobs::order, jobs::list))
        .layer(DefaultBodyLimit::max(MAX_JOB_BODY_BYTES))
        .layer(few());
    let small = OpenApiRouter::new()
        .routes(routes!(models::order, models::list))
        .routes(routes!(models::named, models::cancel))
        .routes(routes!(previews::adapter))
        .routes(routes!(previews::weights))
        .routes(routes!(jobs::numbered, jobs::cancel))
        .routes(routes!(answers::ask))
        .routes(routes!(answers::answer))
        .routes(routes!(answers::case))
        .routes(routes!(previews::receipt))
        .routes(routes!(answers::evidence))
        .routes(routes!(status::status))
        .routes(routes!(status::health))
        .routes(routes!(status::metrics))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(large)
        .merge(orders)
        .merge(small)
        .split_for_parts()
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    status::install_metrics();
    let (routes, description) = described();
    let described = move || async move { Json(description) };
    routes
        .route("/openapi.json", get(described))
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_route)
        .layer(from_fn(connections::timely_bodies))
        .with_state(shared)
}

impl IntoResponse for AttributorError {
    fn into_response(self) -> Response {
        let status = self.status();
        counter!("attributor_refusals_total", "status" => status.as_str().to_owned()).increment(1);
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

fn body<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, AttributorError> {
    body.map(|Json(value)| value).map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return AttributorError::TooLarge;
        }
        if matches!(rejection, JsonRejection::BytesRejection(_)) {
            return AttributorError::Unread;
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

/// One contribution or job is large: more than a few at a time would fill the memory.
async fn few_at_a_time(
    State(large): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Result<Response, AttributorError> {
    if request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let _permit = large.try_acquire().map_err(|_| AttributorError::Busy("too many uploads at a time"))?;
    Ok(next.run(request).await)
}

async fn no_route() -> AttributorError {
    AttributorError::NotFound("there is no such route".into())
}

async fn wrong_method(method: Method) -> AttributorError {
    AttributorError::WrongMethod(method)
}

/// The token of a request.
fn token(headers: &HeaderMap) -> &str {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

/// Refuses who has not the operator's token.
fn operators(shared: &Shared, headers: &HeaderMap, what: &str) -> Result<(), AttributorError> {
    if shared.operator_token.is(token(headers)) {
        return Ok(());
    }
    Err(AttributorError::Forbidden(format!("{what} with the operator's token (operator.token)")))
}

/// Who calls, by their token.
///
/// Taken from the request's head, so that a stranger's body is not even read.
impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = AttributorError;

    async fn from_request_parts(head: &mut Parts, shared: &Arc<Shared>) -> Result<Self, AttributorError> {
        shared.callers.of(&shared.operator_token, token(&head.headers)).ok_or_else(|| {
            AttributorError::Forbidden(
                "jobs are for those whose token the operator has listed (callers.json)".into(),
            )
        })
    }
}

/// A model's name in a path.
fn model_name(name: Result<Path<String>, PathRejection>) -> Result<String, AttributorError> {
    name.map(|Path(name)| name).map_err(|_| AttributorError::Invalid("a model's name is text".into()))
}

/// A receipt, by its request.
fn request_id(path: Result<Path<B256>, PathRejection>) -> Result<B256, AttributorError> {
    path.map(|Path(request)| request)
        .map_err(|_| AttributorError::Invalid("a request is 32 bytes in hex".into()))
}

#[cfg(test)]
mod tests;
