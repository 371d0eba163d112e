//! The HTTP face.

use crate::{
    AnswerRecord, AnswerRequest, AttributorError, ContributionUpload, TrainingRecord, TrainingRequest,
    TrainingState,
    answering::{self, signed_by},
    service::{MAX_UNFINISHED, Shared},
    token::same,
    upload_message,
};
use alloy_primitives::B256;
use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, Path, Query, Request, State,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
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
        .route("/v1/models/{name}", get(training))
        .route("/v1/answers", post(ask))
        .route("/v1/answers/{request}", get(answer))
        .route("/v1/status", get(status))
        .route("/health", get(health))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    large.merge(small).fallback(no_route).with_state(shared)
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

async fn upload(
    State(shared): Service,
    request: Result<Json<ContributionUpload>, JsonRejection>,
) -> Reply<Value> {
    let upload = body(request)?;
    signed_by(upload.owner, &upload_message(upload.datanet, upload.root), &upload.signature)?;
    let rows = upload.rows.len();
    shared.keep(upload.root, upload.rows).await?;
    Ok(Json(json!({ "root": upload.root, "rows": rows })))
}

async fn order_training(
    State(shared): Service,
    headers: HeaderMap,
    request: Result<Json<TrainingRequest>, JsonRejection>,
) -> Reply<TrainingRecord> {
    let given =
        headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    if !given.is_some_and(|given| shared.operator_token.is(given)) {
        return Err(AttributorError::Forbidden(
            "trainings are ordered with the operator's token (operator.token)".into(),
        ));
    }
    let request = body(request)?;
    check(&request)?;
    let order = TrainingRecord { request, state: TrainingState::Queued, trained: None };
    let record = shared.journal.admit_training(&order, MAX_UNFINISHED)?;
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
mod tests {
    use super::*;
    use crate::{chain::Chain, journal::Journal, lab::Lab, token::OperatorToken};
    use alloy_signer_local::PrivateKeySigner;
    use axum::body::{Body, to_bytes};
    use openledger_content_store::{ContentStore, MasterKey};
    use std::path::Path as FilePath;
    use tower::ServiceExt;

    /// A service whose node and model's thread are away.
    fn service(folder: &FilePath) -> Router {
        let master = MasterKey::load_or_create(&folder.join("master.key")).unwrap();
        router(Arc::new(Shared {
            chain: Chain::connect("http://127.0.0.1:1", PrivateKeySigner::random()).unwrap(),
            chain_id: 1,
            store: ContentStore::open_local(&folder.join("rows"), master).unwrap(),
            journal: Journal::open(&folder.join("journal.redb")).unwrap(),
            lab: Lab::stopped(),
            base_hash: B256::ZERO,
            price: Default::default(),
            split: Default::default(),
            max_answer_tokens: 8,
            operator_token: OperatorToken::load_or_create(&folder.join("operator.token")).unwrap(),
            storing: Default::default(),
            work: Default::default(),
        }))
    }

    async fn post_to(service: &Router, path: &str, token: &str, body: String) -> (StatusCode, String) {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::from(body))
            .unwrap();
        reply(service, request).await
    }

    async fn reply(service: &Router, request: Request) -> (StatusCode, String) {
        let response = service.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn only_the_operators_token_orders_a_training() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(folder.path());
        let token = std::fs::read_to_string(folder.path().join("operator.token")).unwrap();
        let order = json!({ "name": "a", "datanets": [1] }).to_string();
        for wrong in ["", "x", &token[1..]] {
            let (status, text) = post_to(&service, "/v1/models", wrong, order.clone()).await;
            assert_eq!(status, StatusCode::FORBIDDEN);
            assert!(!text.contains(&token));
        }
        for _ in 0..2 {
            let (status, text) = post_to(&service, "/v1/models", &token, order.clone()).await;
            assert_eq!(status, StatusCode::OK, "{text}");
        }
        let other = json!({ "name": "a", "datanets": [2] }).to_string();
        assert_eq!(post_to(&service, "/v1/models", &token, other).await.0, StatusCode::CONFLICT);
        let path = json!({ "name": "../a", "datanets": [1] }).to_string();
        assert_eq!(post_to(&service, "/v1/models", &token, path).await.0, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn errors_are_json_and_quote_no_prompt() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(folder.path());
        let misplaced = json!({ "request_id": "my secret", "prompt": 1 }).to_string();
        let unknown = json!({ "my secret": 1 }).to_string();
        for body in [misplaced, unknown, "{\"prompt\": \"my secret".into()] {
            let (status, text) = post_to(&service, "/v1/answers", "", body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST);
            assert!(text.starts_with("{\"error\"") && !text.contains("secret"), "{text}");
        }
        for (path, expected) in [
            ("/v1/answers/0x12", StatusCode::BAD_REQUEST),
            ("/v1/models/none", StatusCode::NOT_FOUND),
            ("/v2/status", StatusCode::NOT_FOUND),
            ("/v1/status", StatusCode::BAD_GATEWAY),
            ("/health", StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let (status, text) = reply(&service, Request::get(path).body(Body::empty()).unwrap()).await;
            assert_eq!(status, expected, "{path}: {text}");
            assert!(serde_json::from_str::<Value>(&text).is_ok(), "{path}: {text}");
        }
    }

    #[tokio::test]
    async fn large_bodies_are_refused_and_a_node_that_is_away_is_no_fault_of_the_payer() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(folder.path());
        let ask = |prompt: String| {
            json!({ "request_id": B256::ZERO, "prompt": prompt, "salt": B256::ZERO, "signature": "0x" })
                .to_string()
        };
        let too_large = post_to(&service, "/v1/answers", "", ask("x".repeat(MAX_BODY_BYTES))).await;
        assert_eq!(too_large.0, StatusCode::PAYLOAD_TOO_LARGE);
        let too_long = post_to(&service, "/v1/answers", "", ask("x".repeat(2_001))).await;
        assert_eq!(too_long.0, StatusCode::BAD_REQUEST);
        assert_eq!(post_to(&service, "/v1/answers", "", ask("why?".into())).await.0, StatusCode::BAD_GATEWAY);
    }
}
