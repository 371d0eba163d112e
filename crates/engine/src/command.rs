//! What handles send to the engine's thread.

use std::sync::mpsc;

use alloy_consensus::transaction::Recovered;
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_evm::Block;
use openledger_primitives::OpenTxEnvelope;
use tokio::sync::oneshot;

use crate::{BuiltBlock, EngineError, Forkchoice, ForkchoiceStatus, Imported, PayloadStatus};

pub(crate) type Reply<T> = oneshot::Sender<Result<T, EngineError>>;

pub(crate) enum Command {
    Build {
        parent: B256,
        attributes: Box<OpPayloadAttributes>,
        pool: Vec<Recovered<OpenTxEnvelope>>,
        reply: Reply<BuiltBlock>,
    },
    Insert {
        block: Box<Block>,
        announced: Option<B256>,
        reply: Reply<BlockNumHash>,
    },
    Extend {
        block: Box<Block>,
        hash: B256,
        reply: Reply<oneshot::Receiver<Result<BlockNumHash, EngineError>>>,
    },
    Import {
        blocks: mpsc::Receiver<Block>,
        reply: Reply<Imported>,
    },
    NewPayload {
        block: Box<Block>,
        hash: B256,
        reply: Reply<PayloadStatus>,
    },
    Forkchoice {
        update: Forkchoice,
        reply: Reply<ForkchoiceStatus>,
    },
    ReorgTo {
        ancestor: BlockNumHash,
        reply: Reply<()>,
    },
    SetSafe {
        block: BlockNumHash,
        reply: Reply<()>,
    },
    SetFinalized {
        block: BlockNumHash,
        reply: Reply<()>,
    },
}
