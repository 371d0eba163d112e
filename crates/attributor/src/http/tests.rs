//! The routes, without a node or a model.

use super::*;
use crate::stub::{self, StubChain};
use alloy_primitives::Bytes;
use alloy_sol_types::SolError;
use axum::body::{Body, to_bytes};
use openledger_abi::{IPayouts, PAYOUTS};
use serde_json::Value;
use std::path::Path as FilePath;
use tower::ServiceExt;

/// A service whose node and model's thread are away.
fn service(folder: &FilePath) -> Router {
    router(stub::service(folder, stub::no_chain()))
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
async fn strangers_order_is_refused_before_its_body_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    let unread =
        futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<Result<Vec<u8>, std::io::Error>>> {
            panic!("the body was read")
        });
    let request = Request::post("/v1/jobs")
        .header("content-type", "application/json")
        .header(AUTHORIZATION, "Bearer nobody's")
        .body(Body::from_stream(unread))
        .unwrap();
    assert_eq!(reply(&service, request).await.0, StatusCode::FORBIDDEN);
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
        ("/v1/models/%ff", StatusCode::BAD_REQUEST),
        ("/v1/models/%ff/adapter", StatusCode::BAD_REQUEST),
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

#[tokio::test]
async fn training_is_cancelled_by_the_operator_alone_and_only_while_it_is_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    let token = std::fs::read_to_string(folder.path().join("operator.token")).unwrap();
    let order = json!({ "name": "a", "datanets": [1] }).to_string();
    assert_eq!(post_to(&service, "/v1/models", &token, order).await.0, StatusCode::OK);
    let cancel = async |token: &str| {
        let authorization = format!("Bearer {token}");
        let request = Request::delete("/v1/models/a").header(AUTHORIZATION, authorization);
        reply(&service, request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(cancel("x").await.0, StatusCode::FORBIDDEN);
    let (status, text) = cancel(&token).await;
    assert!(status == StatusCode::OK && text.contains("cancelled by the operator"), "{text}");
    assert_eq!(cancel(&token).await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn order_with_a_knob_out_of_range_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    let token = std::fs::read_to_string(folder.path().join("operator.token")).unwrap();
    for training in
        [json!({ "rank": 65 }), json!({ "epochs": 1_000 }), json!({ "layers": 99 }), json!({ "batch": 1 })]
    {
        let order = json!({ "name": "a", "datanets": [1], "training": training }).to_string();
        let (status, text) = post_to(&service, "/v1/models", &token, order).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    }
    let (status, _) = reply(&service, Request::get("/v1/models/a").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nothing was ordered");
}

#[tokio::test]
async fn wrong_method_is_answered_with_json() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    for (method, path) in [("GET", "/v1/contributions"), ("DELETE", "/v1/models"), ("POST", "/v1/status")] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let (status, text) = reply(&service, request).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        let error: Value = serde_json::from_str(&text).unwrap();
        assert!(error["error"].as_str().unwrap().contains(method), "{text}");
    }
}

#[tokio::test]
async fn request_that_the_chain_does_not_know_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let chain = StubChain::start().await;
    let request = B256::repeat_byte(5);
    chain.reverts(PAYOUTS, &IPayouts::UnknownRequest { requestId: request }.abi_encode()).await;
    let service = router(stub::service(folder.path(), chain.connect()));
    let ask =
        json!({ "request_id": request, "prompt": "why?", "salt": B256::ZERO, "signature": Bytes::new() });
    let (status, text) = post_to(&service, "/v1/answers", "", ask.to_string()).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{text}");
    assert!(text.contains(&format!("no request {request}")), "{text}");
}

/// Every route of the description, with something in the places of its parameters.
fn routes_of(description: &Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let asked = path
                .replace("{request}", &B256::ZERO.to_string())
                .replace("{name}", "none")
                .replace("{id}", "7");
            found.push((method.to_uppercase(), path.clone(), asked));
        }
    }
    found
}

#[tokio::test]
async fn description_names_every_route_that_is_served_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    let (status, text) = reply(&service, Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    let description: Value = serde_json::from_str(&text).unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3."));
    let routes = routes_of(&description);
    assert_eq!(routes.len(), 19, "{routes:?}");
    let readme = include_str!("../../README.md");
    for (method, path, asked) in &routes {
        assert!(readme.contains(&format!("`{method} {path}`")), "README.md lacks {method} {path}");
        let request = Request::builder().method(method.as_str()).uri(asked).body(Body::empty()).unwrap();
        let (status, text) = reply(&service, request).await;
        assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert!(!text.contains("no such route"), "{method} {path}");
    }
    for line in readme.lines().filter(|line| line.starts_with("| `")) {
        for route in line.split('|').nth(1).unwrap().split('·').map(|route| route.trim().trim_matches('`')) {
            let known = routes.iter().any(|(method, path, _)| route == format!("{method} {path}"));
            assert!(known || route == "GET /openapi.json", "the description lacks {route}");
        }
    }
    // What validators ask of every operation.
    let operations =
        || description["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap());
    let names: std::collections::HashSet<&str> =
        operations().map(|(_, operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), routes.len(), "{names:?}");
    for (_, operation) in operations() {
        for answer in operation["responses"].as_object().unwrap().values() {
            assert!(answer["description"].as_str().is_some_and(|said| !said.is_empty()), "{operation}");
        }
    }
    // Every schema that is named is there.
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(description.pointer(reference).is_some(), "{reference}");
    }
}

async fn ask_as(service: &Router, method: &str, path: &str, token: &str) -> (StatusCode, String) {
    let request =
        Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("Bearer {token}"));
    reply(service, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn jobs_are_for_listed_tokens_and_each_sees_its_own_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (ann, bob) = ("a".repeat(32), "b".repeat(32));
    let entry = |name: &str, token: &str, rows: u64| {
        let quota = json!({ "jobs": 1, "rows": rows, "bytes": 100_000 });
        json!({ "name": name, "token": token, "quota": quota })
    };
    let callers = json!([entry("ann", &ann, 1_000), entry("bob", &bob, 100)]).to_string();
    std::fs::write(folder.path().join("callers.json"), callers).unwrap();
    let shared = stub::service(folder.path(), stub::no_chain());
    let operator = std::fs::read_to_string(folder.path().join("operator.token")).unwrap();
    let request =
        serde_json::from_value(json!({ "name": "joint", "datanets": [1], "training": { "rank": 2 } }))
            .unwrap();
    let trained = stub::trained(60);
    let ready = crate::TrainingState::Ready;
    let record = crate::TrainingRecord { request, state: ready, trained: Some(trained) };
    shared.journal.put_training(&record).unwrap();
    let service = router(shared);

    let evaluation = json!({ "kind": "evaluation", "model": "joint", "subsets": 16 }).to_string();
    assert_eq!(post_to(&service, "/v1/jobs", "nobody", evaluation.clone()).await.0, StatusCode::FORBIDDEN);
    let (status, text) = post_to(&service, "/v1/jobs", &ann, evaluation.clone()).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let job: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&job["id"], &job["state"], &job["rows"]), (&1.into(), &"queued".into(), &960.into()));
    let (status, text) = post_to(&service, "/v1/jobs", &ann, evaluation.clone()).await;
    assert!(status == StatusCode::TOO_MANY_REQUESTS && text.contains("cancel a job"), "{text}");
    let answer = json!({ "question": "why?", "answer": "because" });
    let many = json!({ "kind": "scores", "model": "joint", "answers": vec![answer; 101] }).to_string();
    let (status, text) = post_to(&service, "/v1/jobs", &bob, many).await;
    assert!(status == StatusCode::PAYLOAD_TOO_LARGE && text.contains("101 rows"), "{text}");
    let wrong = json!({ "kind": "scores", "model": "joint", "secret": 1 }).to_string();
    let (status, text) = post_to(&service, "/v1/jobs", &bob, wrong).await;
    assert!(status == StatusCode::BAD_REQUEST && !text.contains("secret"), "{text}");

    assert_eq!(ask_as(&service, "GET", "/v1/jobs/1", &bob).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask_as(&service, "DELETE", "/v1/jobs/1", &bob).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask_as(&service, "GET", "/v1/jobs", &bob).await.1, "[]");
    assert!(ask_as(&service, "GET", "/v1/jobs", &operator).await.1.contains("\"caller\":\"ann\""));
    let (status, text) = ask_as(&service, "DELETE", "/v1/jobs/1", &ann).await;
    assert!(status == StatusCode::OK && text.contains("cancelled"), "{text}");
    assert_eq!(ask_as(&service, "DELETE", "/v1/jobs/1", &ann).await.0, StatusCode::CONFLICT);
    assert_eq!(post_to(&service, "/v1/jobs", &ann, evaluation).await.0, StatusCode::OK, "its quota is free");
}

#[tokio::test]
async fn metrics_tell_queues_refusals_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    let token = std::fs::read_to_string(folder.path().join("operator.token")).unwrap();
    let order = json!({ "name": "a", "datanets": [1] }).to_string();
    assert_eq!(post_to(&service, "/v1/models", &token, order).await.0, StatusCode::OK);
    assert_eq!(ask_as(&service, "GET", "/v1/models/none", "").await.0, StatusCode::NOT_FOUND);
    let (status, text) = ask_as(&service, "GET", "/metrics", "").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "attributor_queue_length{queue=\"trainings\"} 1",
        "attributor_refusals_total{status=\"404\"}",
        "attributor_memory_free_bytes{place=\"host\"}",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn strangers_uploads_that_trickle_leave_places_for_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    let trickle = |path: &str| {
        let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = Request::post(path).header("content-type", "application/json");
        tokio::spawn(service.clone().oneshot(request.body(Body::from_stream(never)).unwrap()))
    };
    let trickling: Vec<_> = (0..MAX_LARGE).map(|_| trickle("/v1/contributions")).collect();
    let full = async {
        while post_to(&service, "/v1/contributions", "", "{}".into()).await.0 != StatusCode::TOO_MANY_REQUESTS
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), full).await.unwrap();
    let token = std::fs::read_to_string(folder.path().join("operator.token")).unwrap();
    assert_eq!(post_to(&service, "/v1/jobs", &token, "{}".into()).await.0, StatusCode::BAD_REQUEST);
    trickling.iter().for_each(|one| one.abort());
}
