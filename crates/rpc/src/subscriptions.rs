//! `eth_subscribe`: new heads, logs, pending transactions.

use std::sync::Arc;

use alloy_rpc_types_eth::{
    Filter,
    pubsub::{Params as Wanted, SubscriptionKind},
};
use jsonrpsee::{
    PendingSubscriptionSink, SubscriptionSink,
    core::traits::IdProvider,
    types::{ErrorObjectOwned, Params, SubscriptionId},
};
use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    error::RpcError,
    feed::ChainChange,
    filters::{IdSource, changed_logs},
    node::Node,
};

/// Subscription ids as clients know them: hexadecimal text.
#[derive(Debug, Default)]
pub(crate) struct HexIds(IdSource);

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        format!("{:#018x}", self.0.next()).into()
    }
}

/// Sends one notification; `false` when the client is gone.
async fn notify(sink: &SubscriptionSink, value: &impl Serialize) -> bool {
    match to_raw_value(value) {
        Ok(message) => sink.send(message).await.is_ok(),
        Err(_) => false,
    }
}

/// Serves one subscription until its client leaves or falls too far behind: a closed connection is
/// noticed, a missed notification is not.
pub(crate) async fn subscribe(params: Params<'static>, pending: PendingSubscriptionSink, node: Arc<Node>) {
    let parsed = (|| {
        let mut params = params.sequence();
        let kind = params.next::<SubscriptionKind>()?;
        let wanted = params.optional_next::<Wanted>()?.unwrap_or_default();
        Ok::<_, ErrorObjectOwned>((kind, wanted))
    })();
    let (kind, wanted) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return pending.reject(error).await,
    };
    match (kind, wanted) {
        (SubscriptionKind::NewHeads, _) => heads(pending, &node).await,
        (SubscriptionKind::Logs, Wanted::Logs(filter)) => logs(pending, &node, *filter).await,
        (SubscriptionKind::Logs, _) => logs(pending, &node, Filter::default()).await,
        (SubscriptionKind::NewPendingTransactions, wanted) => {
            let full = matches!(wanted, Wanted::Bool(true));
            transactions(pending, &node, full).await;
        }
        (SubscriptionKind::Syncing, _) => {
            if let Ok(sink) = pending.accept().await
                && notify(&sink, &false).await
            {
                sink.closed().await;
            }
        }
        (kind, _) => {
            let kind = format!("{kind:?}");
            let error = RpcError::InvalidParams(format!(
                "no subscription {kind}: use newHeads, logs, newPendingTransactions or syncing"
            ));
            pending.reject(error).await;
        }
    }
}

/// The chain's next change; `None` once the client has gone, or was too slow to be told of every change.
async fn next_change(
    sink: &SubscriptionSink,
    changes: &mut Receiver<Arc<ChainChange>>,
) -> Option<Arc<ChainChange>> {
    tokio::select! {
        () = sink.closed() => None,
        change = changes.recv() => change.ok(),
    }
}

async fn heads(pending: PendingSubscriptionSink, node: &Node) {
    let mut changes = node.feed.subscribe();
    let Ok(sink) = pending.accept().await else { return };
    while let Some(change) = next_change(&sink, &mut changes).await {
        for news in &change.added {
            if !notify(&sink, &news.header).await {
                return;
            }
        }
    }
}

async fn logs(pending: PendingSubscriptionSink, node: &Node, filter: Filter) {
    let mut changes = node.feed.subscribe();
    let Ok(sink) = pending.accept().await else { return };
    while let Some(change) = next_change(&sink, &mut changes).await {
        for log in changed_logs(&change, &filter) {
            if !notify(&sink, &log).await {
                return;
            }
        }
    }
}

async fn transactions(pending: PendingSubscriptionSink, node: &Node, full: bool) {
    let mut hashes = node.pool.subscribe();
    let Ok(sink) = pending.accept().await else { return };
    loop {
        let hash = tokio::select! {
            () = sink.closed() => return,
            hash = hashes.recv() => hash,
        };
        let sent = match hash {
            // Pending hashes are a hint: a burst that is too fast for the client loses some.
            Err(RecvError::Lagged(_)) => true,
            Err(RecvError::Closed) => return,
            Ok(hash) if full => match node.get_transaction(hash) {
                Ok(Some(transaction)) => notify(&sink, &transaction).await,
                _ => true,
            },
            Ok(hash) => notify(&sink, &hash).await,
        };
        if !sent {
            return;
        }
    }
}
