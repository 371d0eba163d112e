//! The attributor's HTTP interface, as its users call it.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{HeldOutReport, pledge::Pledge};
use crate::DevnetError;

const POLL: Duration = Duration::from_millis(500);
/// How long the attributor may be away, for it is started again when it dies.
const AWAY: Duration = Duration::from_secs(120);
/// How long one request may take; an upload is stored before it is answered.
const SILENCE: Duration = Duration::from_secs(60);

/// Refusals of a moment: the chain is away or does not take it now, or too much is waiting.
const LATER: [StatusCode; 3] =
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];

/// A client of one attributor.
#[derive(Clone)]
pub(super) struct AttributorClient {
    http: Client,
    url: String,
    operator_token: String,
}

/// A training, as far as the story needs it.
#[derive(Debug, Deserialize)]
pub(super) struct Training {
    pub(super) state: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) step: Option<usize>,
    #[serde(default)]
    pub(super) steps: Option<usize>,
    #[serde(default)]
    pub(super) loss: Option<f64>,
    pub(super) trained: Option<Trained>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Trained {
    pub(super) model: Option<u64>,
    pub(super) adapter_hash: B256,
    pub(super) loss_first: f64,
    pub(super) loss_last: f64,
    pub(super) held_out: Vec<HeldOutReport>,
    pub(super) duplicates: usize,
}

/// A request, as far as the story needs it.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) state: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) answer: Option<String>,
}

/// A receipt as the attributor computed it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Prepared {
    pub(super) answer_hash: Option<B256>,
    pub(super) score_root: Option<B256>,
    pub(super) tokens_in: u32,
    pub(super) tokens_out: u32,
    pub(super) unattributed_ppm: u32,
    pub(super) credits: Vec<Credit>,
}

/// A cluster's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Credit {
    pub(super) contribution: u64,
    pub(super) row: u32,
    pub(super) ppm: u32,
}

/// A row with its salt, as the owner keeps it.
#[derive(Debug, Clone)]
pub(super) struct SaltedRow<'a> {
    pub(super) salt: B256,
    pub(super) text: &'a str,
}

impl AttributorClient {
    pub(super) fn new(url: String, operator_token: String) -> Self {
        let http = Client::builder().timeout(SILENCE).build().unwrap_or_default();
        Self { http, url, operator_token }
    }

    /// Gives rows to the store, for a commitment that the owner made and has not revealed yet.
    pub(super) async fn upload(
        &self,
        owner: &PrivateKeySigner,
        datanet: u64,
        pledge: &Pledge<'_>,
    ) -> Result<(), DevnetError> {
        let Pledge { rows, root, salt } = pledge;
        let message = format!("OpenLedger: keep my rows\ndatanet: {datanet}\nroot: {root}");
        let rows: Vec<Value> = rows.iter().map(|row| json!({ "salt": row.salt, "text": row.text })).collect();
        let owner_address: Address = owner.address();
        let body = json!({
            "datanet": datanet,
            "owner": owner_address,
            "root": root,
            "on_chain": { "commitment_salt": salt },
            "rows": rows,
            "signature": sign(owner, &message)?,
        });
        let _: Value = self.ask(|| self.http.post(self.at("contributions")).json(&body)).await?;
        Ok(())
    }

    /// Orders a training; ordering the same one again is harmless.
    pub(super) async fn train(
        &self,
        name: &str,
        datanets: &[u64],
        training: &serde_json::Map<String, Value>,
    ) -> Result<(), DevnetError> {
        let body = json!({ "name": name, "datanets": datanets, "training": training });
        let order = || self.http.post(self.at("models")).bearer_auth(&self.operator_token).json(&body);
        let _: Training = self.ask(order).await?;
        Ok(())
    }

    /// Waits for a training to be ready; `seen` is shown every state on the way.
    pub(super) async fn trained(
        &self,
        name: &str,
        mut seen: impl FnMut(&Training),
    ) -> Result<Trained, DevnetError> {
        loop {
            let training: Training = self.ask(|| self.http.get(self.at(&format!("models/{name}")))).await?;
            seen(&training);
            match (training.state.as_str(), training.trained) {
                ("ready", Some(trained)) => return Ok(trained),
                ("failed", _) => {
                    let reason = training.reason.unwrap_or_default();
                    return Err(DevnetError::Story(format!("training {name} failed: {reason}")));
                }
                _ => sleep(POLL).await,
            }
        }
    }

    /// Hands the prompt of an escrowed request over and waits for the settled answer.
    pub(super) async fn answer(
        &self,
        payer: &PrivateKeySigner,
        request_id: B256,
        prompt: &str,
        salt: B256,
    ) -> Result<String, DevnetError> {
        self.hand_over(payer, request_id, prompt, salt).await?;
        loop {
            let place = self.at(&format!("answers/{request_id}?salt={salt}"));
            let answer: Answer = self.ask(|| self.http.get(&place)).await?;
            match answer.state.as_str() {
                "settled" => return Ok(answer.answer.unwrap_or_default()),
                "failed" => {
                    let reason = answer.reason.unwrap_or_default();
                    return Err(DevnetError::Story(format!("request {request_id} failed: {reason}")));
                }
                _ => sleep(POLL).await,
            }
        }
    }

    /// Hands the prompt of an escrowed request over.
    pub(super) async fn hand_over(
        &self,
        payer: &PrivateKeySigner,
        request_id: B256,
        prompt: &str,
        salt: B256,
    ) -> Result<(), DevnetError> {
        let message = format!("OpenLedger: answer my request\nrequest: {request_id}");
        let signature = sign(payer, &message)?;
        let body =
            json!({ "request_id": request_id, "prompt": prompt, "salt": salt, "signature": signature });
        let _: Answer = self.ask(|| self.http.post(self.at("answers")).json(&body)).await?;
        Ok(())
    }

    /// Waits until the attributor has computed the receipt of a request, settled or not.
    pub(super) async fn prepared(&self, request_id: B256) -> Result<Prepared, DevnetError> {
        loop {
            let place = self.at(&format!("answers/{request_id}"));
            let prepared: Prepared = self.ask(|| self.http.get(&place)).await?;
            if prepared.answer_hash.is_some() {
                return Ok(prepared);
            }
            sleep(POLL).await;
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.url)
    }

    /// Asks until there is an answer; while the attributor is away it is asked again.
    async fn ask<T: DeserializeOwned>(&self, request: impl Fn() -> RequestBuilder) -> Result<T, DevnetError> {
        let deadline = Instant::now() + AWAY;
        loop {
            // A connection that ends in the middle of an answer is as good as none.
            let answered = match request().send().await {
                Ok(response) => {
                    let status = response.status();
                    response.text().await.map(|text| (status, text))
                }
                Err(error) => Err(error),
            };
            let failure = match answered {
                Ok((status, text)) if status.is_success() => {
                    return serde_json::from_str(&text)
                        .map_err(|error| DevnetError::Story(format!("the attributor's answer: {error}")));
                }
                Ok((status, text)) if LATER.contains(&status) => text,
                Ok((status, text)) => {
                    return Err(DevnetError::Story(format!("the attributor refuses ({status}): {text}")));
                }
                // Without its URL, which may hold a salt.
                Err(error) => error.without_url().to_string(),
            };
            if Instant::now() >= deadline {
                return Err(DevnetError::Timeout {
                    what: format!("the attributor: {failure}"),
                    seconds: AWAY.as_secs(),
                });
            }
            warn!(failure, "asking the attributor again");
            sleep(POLL).await;
        }
    }
}

fn sign(signer: &PrivateKeySigner, message: &str) -> Result<Bytes, DevnetError> {
    let signature = signer
        .sign_message_sync(message.as_bytes())
        .map_err(|error| DevnetError::Story(format!("signing: {error}")))?;
    Ok(Bytes::from(signature.as_bytes().to_vec()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// Answers one connection after the other with these bytes, then hangs up.
    async fn answering(answers: Vec<&'static str>) -> AttributorClient {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for answer in answers {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await.unwrap();
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        AttributorClient::new(url, "token".to_owned())
    }

    #[tokio::test]
    async fn attributor_that_dies_in_the_middle_of_an_answer_is_asked_again() {
        let client = answering(vec![
            "",
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"state\":",
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ncontent-length: 18\r\nconnection: close\r\n\r\n{\"state\":\"queued\"}",
        ])
        .await;
        let answer: Answer = client.ask(|| client.http.get(client.at("answers/1"))).await.unwrap();
        assert_eq!(answer.state, "queued");
    }

    #[tokio::test]
    async fn final_refusal_ends_the_story_with_its_reason() {
        let client = answering(vec![
            "HTTP/1.1 409 Conflict\r\ncontent-length: 14\r\nconnection: close\r\n\r\n{\"error\":\"no\"}",
        ])
        .await;
        let refused = client.ask::<Answer>(|| client.http.get(client.at("answers/1"))).await.unwrap_err();
        assert!(refused.to_string().contains("409"), "{refused}");
    }
}
