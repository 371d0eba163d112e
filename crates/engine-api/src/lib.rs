#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod attributes;
mod bodies;
mod error;
mod identity;
mod methods;
mod new_payload;
mod payloads;
mod secret;
mod server;
mod version;

pub use alloy_rpc_types_engine::{Claims, JwtSecret};
pub use api::{EngineApi, EngineApiConfig};
pub use error::EngineApiError;
pub use secret::{SecretError, load_or_create_secret};
pub use server::{EngineApiHandle, EngineApiServer, ServerConfig, StartError};
