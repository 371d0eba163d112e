//! What the operator chooses.

use alloy_primitives::U256;
use alloy_signer_local::PrivateKeySigner;
use openledger_model::Device;
use std::{net::SocketAddr, path::PathBuf};

/// Configuration of the service.
#[derive(Debug, Clone)]
pub struct AttributorConfig {
    /// Folder of journal, rows, adapters and gradients.
    pub datadir: PathBuf,
    /// HTTP endpoint of an L2 node.
    pub l2_rpc: String,
    /// Where to serve.
    pub listen: SocketAddr,
    /// The account that registers models, attests and holds the bond.
    pub signer: PrivateKeySigner,
    /// The base model, a GGUF file.
    pub model: PathBuf,
    /// Where tensors live.
    pub device: Device,
    /// CPU threads that libtorch uses.
    pub threads: u32,
    /// Bond in wei that is kept at stake; what is missing is put up at the start.
    pub bond_wei: U256,
    /// Most tokens of an answer.
    pub max_answer_tokens: usize,
    /// Where judges find this service; its own address where it is left out.
    pub public_url: Option<String>,
    /// Whether sketches of past answers, and models' adapters, are given to anyone who asks, so that contributors can
    /// see what their rows would have earned.
    pub previews: bool,
}
