//! The server: one port, every request with a token.

use std::{io, net::SocketAddr};

use alloy_rpc_types_engine::JwtSecret;
use jsonrpsee::{
    Methods, RpcModule,
    core::RegisterMethodError,
    server::{
        BatchRequestConfig, HttpBody, HttpResponse, Server, ServerConfig as JsonRpcConfig, ServerHandle,
    },
};
use thiserror::Error;
use tower::ServiceBuilder;
use tower_http::validate_request::{ValidateRequest, ValidateRequestHeaderLayer};
use tracing::{info, warn};

use crate::{EngineApi, methods};

/// Where the server listens, and its bounds.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// `--authrpc.addr`, `--authrpc.port`.
    pub listen: SocketAddr,
    /// The secret shared with the driver. `--authrpc.jwtsecret`.
    pub secret: JwtSecret,
    /// Bytes of a request, batches included.
    pub max_request_bytes: u32,
    /// Bytes of a response.
    pub max_response_bytes: u32,
    /// Requests in a batch.
    pub max_batch: u32,
    /// Connections.
    pub max_connections: u32,
}

impl ServerConfig {
    /// The usual bounds.
    pub const fn new(listen: SocketAddr, secret: JwtSecret) -> Self {
        Self {
            listen,
            secret,
            max_request_bytes: 128 << 20,
            max_response_bytes: 256 << 20,
            max_batch: 100,
            max_connections: 64,
        }
    }
}

/// Why the server does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port is taken.
    #[error("{0} is in use: stop what listens there or choose another --authrpc.port")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address} (--authrpc.addr, --authrpc.port): {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Two methods of one name.
    #[error("method registered twice: {0}")]
    Methods(#[from] RegisterMethodError),
}

/// The Engine API's server.
#[derive(Debug, Clone, Copy)]
pub struct EngineApiServer;

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct EngineApiHandle {
    address: SocketAddr,
    server: ServerHandle,
}

impl EngineApiHandle {
    /// Where the server listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests and waits for those under way.
    pub async fn stop(self) {
        if self.server.stop().is_ok() {
            self.server.stopped().await;
        }
    }
}

impl EngineApiServer {
    /// Listens and serves until the handle is stopped or dropped. `eth` is what drivers ask of the
    /// chain beside the Engine API, without names that start with `engine_`.
    pub async fn start(
        config: ServerConfig,
        api: EngineApi,
        eth: impl Into<Methods>,
    ) -> Result<EngineApiHandle, StartError> {
        let mut module: RpcModule<EngineApi> = methods::module(api)?;
        module.merge(eth)?;
        let limits = JsonRpcConfig::builder()
            .max_request_body_size(config.max_request_bytes)
            .max_response_body_size(config.max_response_bytes)
            .max_connections(config.max_connections)
            .set_batch_request_config(BatchRequestConfig::Limit(config.max_batch))
            .build();
        let address = config.listen;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse(address),
            _ => StartError::Listen { address, source },
        };
        let token = ValidateRequestHeaderLayer::custom(TokenCheck(config.secret));
        let server = Server::builder()
            .set_config(limits)
            .set_http_middleware(ServiceBuilder::new().layer(token))
            .build(address)
            .await
            .map_err(failed)?;
        let address = server.local_addr().map_err(failed)?;
        info!(%address, "serving the Engine API");
        Ok(EngineApiHandle { address, server: server.start(module) })
    }
}

/// Lets requests pass that carry a valid token, WebSocket upgrades too.
#[derive(Debug, Clone, Copy)]
struct TokenCheck(JwtSecret);

impl<B> ValidateRequest<B> for TokenCheck {
    type ResponseBody = HttpBody;

    fn validate(&mut self, request: &mut http::Request<B>) -> Result<(), HttpResponse> {
        let header = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let checked = match token {
            Some(token) => self.0.validate(token.trim()).map_err(|error| error.to_string()),
            None => Err("the Authorization header must be `Bearer` and a token".to_owned()),
        };
        checked.map_err(|reason| {
            warn!(reason, "refused a request to the Engine API");
            metrics::counter!("engine_api_refused_tokens_total").increment(1);
            let mut response = HttpResponse::new(HttpBody::from(reason));
            *response.status_mut() = http::StatusCode::UNAUTHORIZED;
            response
        })
    }
}
