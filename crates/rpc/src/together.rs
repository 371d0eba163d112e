//! Batches of raw transactions are taken together: senders are recovered on all cores and the pool is asked
//! once, which costs a fraction of asking it for each.

use std::future::Future;

use alloy_primitives::Bytes;
use jsonrpsee::{
    BatchResponseBuilder, MethodResponse, ResponsePayload,
    core::middleware::{Batch, BatchEntry, Notification, RpcServiceT},
    types::{ErrorObjectOwned, Id, Request},
};
use openledger_txpool::TxPool;
use tower::Layer;

use crate::error::RpcError;

/// The method whose batches are taken together.
pub(crate) const METHOD: &str = "eth_sendRawTransaction";

/// Wraps a service in [`Together`].
#[derive(Debug, Clone)]
pub(crate) struct TogetherLayer {
    /// The pool that transactions go to; without one nothing is taken together.
    pub(crate) pool: Option<TxPool>,
    pub(crate) max_response_bytes: usize,
}

impl<S> Layer<S> for TogetherLayer {
    type Service = Together<S>;

    fn layer(&self, inner: S) -> Together<S> {
        Together { inner, layer: self.clone() }
    }
}

/// A JSON-RPC service that takes a batch of nothing but raw transactions as one.
#[derive(Debug, Clone)]
pub(crate) struct Together<S> {
    inner: S,
    layer: TogetherLayer,
}

impl<S> RpcServiceT for Together<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            NotificationResponse = MethodResponse,
            BatchResponse = MethodResponse,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.inner.call(request)
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.inner.notification(notification)
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            match (&this.layer.pool, raw_transactions(&batch)) {
                (Some(pool), Some((ids, raw))) => submit(pool, ids, raw, this.layer.max_response_bytes).await,
                // Among them those with parameters that are none: each is answered on its own.
                _ => this.inner.batch(batch).await,
            }
        }
    }
}

/// Identifiers and transactions of a batch of nothing else.
fn raw_transactions(batch: &Batch<'_>) -> Option<(Vec<Id<'static>>, Vec<Bytes>)> {
    if batch.is_empty() {
        return None;
    }
    let raw_transaction = |entry: &Result<BatchEntry<'_>, _>| match entry {
        Ok(BatchEntry::Call(call)) if call.method_name() == METHOD => {
            Some((call.id.clone().into_owned(), call.params().one::<Bytes>().ok()?))
        }
        _ => None,
    };
    batch.iter().map(raw_transaction).collect()
}

async fn submit(
    pool: &TxPool,
    ids: Vec<Id<'static>>,
    raw: Vec<Bytes>,
    max_response_bytes: usize,
) -> MethodResponse {
    let answers = match pool.submit_all(raw).await {
        Ok(answers) => answers,
        Err(error) => ids.iter().map(|_| Err(error.clone())).collect(),
    };
    let mut responses = BatchResponseBuilder::new_with_limit(max_response_bytes);
    for (id, answer) in ids.into_iter().zip(answers) {
        let response = match answer {
            Ok(hash) => MethodResponse::response(id, ResponsePayload::success(hash), max_response_bytes),
            Err(error) => MethodResponse::error(id, ErrorObjectOwned::from(RpcError::Pool(error))),
        };
        if let Err(too_large) = responses.append(response) {
            return too_large;
        }
    }
    MethodResponse::from_batch(responses.finish())
}
