//! `eth_sendRawTransaction`: into the pool, or on to the sequencer.

use std::time::Duration;

use alloy_primitives::{B256, Bytes};
use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Submission,
    error::{RpcError, RpcResult},
    node::Node,
};

/// How long the sequencer may take to answer.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
struct Answer {
    result: Option<B256>,
    error: Option<AnswerError>,
}

#[derive(Debug, Deserialize)]
struct AnswerError {
    code: i32,
    message: String,
    data: Option<Value>,
}

impl Node {
    /// Takes or forwards a raw transaction.
    pub(crate) async fn send_raw_transaction(&self, raw: Bytes) -> RpcResult<B256> {
        match &self.config.submission {
            Submission::Pool => Ok(self.pool.submit(raw).await?),
            Submission::Forward(url) => self.forward(url, raw).await,
            Submission::Refuse => Err(RpcError::Unsupported(
                "this node does not sequence: send transactions to the sequencer, or start the \
                 node with --rollup.sequencer-http"
                    .into(),
            )),
        }
    }

    async fn forward(&self, url: &str, raw: Bytes) -> RpcResult<B256> {
        let unreachable = |error: reqwest::Error| {
            // Without its URL, which may hold a key.
            RpcError::Internal(format!("the sequencer did not answer: {}", error.without_url()))
        };
        let request = json!({
            "jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]
        });
        let request = self.http.post(url).timeout(FORWARD_TIMEOUT).json(&request);
        let answer = request.send().await.map_err(unreachable)?;
        let answer = answer.json::<Answer>().await.map_err(unreachable)?;
        match (answer.result, answer.error) {
            (Some(hash), _) => Ok(hash),
            (None, Some(AnswerError { code, message, data })) => {
                Err(RpcError::Object(ErrorObjectOwned::owned(code, message, data)))
            }
            (None, None) => Err(RpcError::Internal("the sequencer's answer is empty".into())),
        }
    }
}
