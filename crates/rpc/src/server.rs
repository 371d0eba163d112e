//! Starting and stopping the servers.

use std::{io, net::SocketAddr};

use jsonrpsee::{
    Methods,
    core::middleware::RpcServiceBuilder,
    server::{BatchRequestConfig, Server, ServerConfig, ServerHandle},
};
use tokio::task::JoinHandle;
use tower::ServiceBuilder;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use tracing::info;

use crate::{
    HeadFeed, RpcConfig, RpcDeps, RpcStartError, Submission, feed::Follower, filters::Filters, methods,
    node::Node, subscriptions::HexIds, together::TogetherLayer,
};

/// The JSON-RPC server.
#[derive(Debug, Clone, Copy)]
pub struct RpcServer;

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct RpcHandle {
    http: Option<(SocketAddr, ServerHandle)>,
    ws: Option<(SocketAddr, ServerHandle)>,
    feed: HeadFeed,
    methods: Methods,
    follower: JoinHandle<()>,
}

impl RpcHandle {
    /// Where HTTP listens.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|(address, _)| *address)
    }

    /// Where WebSocket listens.
    pub fn ws_addr(&self) -> Option<SocketAddr> {
        self.ws.as_ref().map(|(address, _)| *address)
    }

    /// What changes on the chain, as subscribers see it.
    pub const fn feed(&self) -> &HeadFeed {
        &self.feed
    }

    /// All methods, to be served elsewhere too.
    pub const fn methods(&self) -> &Methods {
        &self.methods
    }

    /// Takes no more requests and waits for those under way.
    pub async fn stop(mut self) {
        for (_, handle) in [self.http.take(), self.ws.take()].into_iter().flatten() {
            if handle.stop().is_ok() {
                handle.stopped().await;
            }
        }
    }
}

impl Drop for RpcHandle {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl RpcServer {
    /// Listens and serves until the handle is stopped or dropped.
    pub async fn start(config: RpcConfig, deps: RpcDeps) -> Result<RpcHandle, RpcStartError> {
        let cors = cors(&config.cors_origins)?;
        let feed = HeadFeed::new();
        // From the head of now: what is added while the server starts is told.
        let follower = Follower::new(deps.database.clone());
        let together = TogetherLayer {
            pool: (config.submission == Submission::Pool).then(|| deps.pool.clone()),
            max_response_bytes: config.max_response_bytes as usize,
        };
        let node = Node {
            filters: Filters::new(config.max_filters, config.filter_timeout),
            database: deps.database,
            pool: deps.pool,
            rollup: deps.rollup,
            feed: feed.clone(),
            http: reqwest::Client::new(),
            config: config.clone(),
        };
        let module: Methods = methods::module(node)?.into();
        let limits = ServerConfig::builder()
            .max_request_body_size(config.max_request_bytes)
            .max_response_body_size(config.max_response_bytes)
            .max_connections(config.max_connections)
            .max_subscriptions_per_connection(config.max_subscriptions)
            .set_batch_request_config(BatchRequestConfig::Limit(config.max_batch))
            .set_id_provider(HexIds::default());
        let http = match config.http {
            Some(address) => {
                let limits = limits.clone().http_only().build();
                let listening =
                    listen(address, "--http.port", limits, cors.clone(), together.clone(), module.clone());
                Some(listening.await?)
            }
            None => None,
        };
        let ws = match config.ws {
            Some(address) => {
                let limits = limits.ws_only().build();
                Some(listen(address, "--ws.port", limits, cors, together, module.clone()).await?)
            }
            None => None,
        };
        let follower = tokio::spawn(feed.clone().run(follower, deps.head_moved));
        Ok(RpcHandle { http, ws, feed, methods: module, follower })
    }
}

async fn listen(
    address: SocketAddr,
    flag: &'static str,
    limits: ServerConfig,
    cors: CorsLayer,
    together: TogetherLayer,
    module: Methods,
) -> Result<(SocketAddr, ServerHandle), RpcStartError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => RpcStartError::AddressInUse { address, flag },
        _ => RpcStartError::Listen { address, flag, source },
    };
    let server = Server::builder()
        .set_config(limits)
        .set_http_middleware(ServiceBuilder::new().layer(cors))
        .set_rpc_middleware(RpcServiceBuilder::new().layer(together))
        .build(address)
        .await
        .map_err(failed)?;
    let local = server.local_addr().map_err(failed)?;
    info!(%local, flag, "serving JSON-RPC");
    Ok((local, server.start(module)))
}

fn cors(origins: &[String]) -> Result<CorsLayer, RpcStartError> {
    let layer = CorsLayer::new().allow_methods(Any).allow_headers(Any);
    if origins.iter().any(|origin| origin == "*") {
        return Ok(layer.allow_origin(Any));
    }
    let parsed =
        origins.iter().map(|origin| origin.parse().map_err(|_| RpcStartError::BadOrigin(origin.clone())));
    let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
    Ok(layer.allow_origin(AllowOrigin::list(parsed)))
}
