//! Why a transaction is not taken. Messages begin as geth's do, for wallets match on them.

use alloy_primitives::U256;
use thiserror::Error;

/// Why the pool refuses a transaction. The pool is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PoolError {
    /// The bytes are no transaction.
    #[error("rlp: transaction does not decode: {0}")]
    Decode(String),
    /// A blob, deposit or unknown transaction.
    #[error("transaction type not supported: {0}")]
    TypeNotSupported(&'static str),
    /// The signature recovers to nobody.
    #[error("invalid sender: the signature does not recover to an address")]
    InvalidSignature,
    /// Signed for another chain.
    #[error("invalid chain id for signer: have {have} want {want}")]
    WrongChain {
        /// Chain id in the transaction.
        have: u64,
        /// Chain id of this chain.
        want: u64,
    },
    /// A legacy transaction without replay protection (EIP-155).
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    /// More bytes than the limit.
    #[error("oversized data: transaction size {size}, limit {limit}")]
    Oversized {
        /// Encoded size in bytes.
        size: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// Init code above the limit of EIP-3860.
    #[error("max initcode size exceeded: code size {size}, limit {limit}")]
    InitCodeTooLarge {
        /// Init code in bytes.
        size: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// Gas limit above the block's.
    #[error("exceeds block gas limit: transaction gas {have}, block gas limit {limit}")]
    GasLimitTooHigh {
        /// The transaction's gas limit.
        have: u64,
        /// The block's gas limit.
        limit: u64,
    },
    /// Gas limit below what the transaction costs before it runs.
    #[error("intrinsic gas too low: gas {have}, minimum needed {want}")]
    IntrinsicGas {
        /// The transaction's gas limit.
        have: u64,
        /// The least it must be.
        want: u64,
    },
    /// Gas limit below the floor of EIP-7623.
    #[error("insufficient gas for floor data gas cost: gas {have}, minimum needed {want}")]
    FloorGas {
        /// The transaction's gas limit.
        have: u64,
        /// The least it must be.
        want: u64,
    },
    /// The tip exceeds the fee cap.
    #[error(
        "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, \
         maxFeePerGas: {cap}"
    )]
    TipAboveFeeCap {
        /// Priority fee in wei per gas.
        tip: u128,
        /// Fee cap in wei per gas.
        cap: u128,
    },
    /// An EIP-7702 transaction with nothing to authorize.
    #[error("EIP-7702 transaction with empty auth list")]
    EmptyAuthorizations,
    /// The nonce was used.
    #[error("nonce too low: next nonce {want}, tx nonce {have}")]
    NonceTooLow {
        /// The transaction's nonce.
        have: u64,
        /// The account's nonce.
        want: u64,
    },
    /// The nonce can never be used (EIP-2681).
    #[error("nonce has max value: 2^64-1 cannot be used")]
    NonceMax,
    /// The sender is a contract (EIP-3607).
    #[error("sender not an eoa: the account has contract code")]
    SenderIsContract,
    /// The balance does not cover the costs, L1 data fee included.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, earlier transactions {earlier}"
    )]
    InsufficientFunds {
        /// The account's balance in wei.
        balance: U256,
        /// What this one may cost at most, in wei, L1 data fee included.
        cost: U256,
        /// What the sender's earlier transactions in the pool may cost, in wei.
        earlier: U256,
    },
    /// Value and fees exceed what 256 bits hold.
    #[error("insufficient funds for gas * price + value: the cost exceeds 2^256-1 wei")]
    CostOverflow,
    /// The same transaction is in the pool.
    #[error("already known")]
    AlreadyKnown,
    /// The pool has one of this nonce that pays about as much.
    #[error(
        "replacement transaction underpriced: need at least {bump_percent} % more, maxFeePerGas \
         {min_fee_cap} and maxPriorityFeePerGas {min_tip}"
    )]
    ReplacementUnderpriced {
        /// The bump asked for, in percent.
        bump_percent: u128,
        /// Least fee cap, in wei per gas.
        min_fee_cap: u128,
        /// Least priority fee, in wei per gas.
        min_tip: u128,
    },
    /// Below the node's own minimum.
    #[error("transaction underpriced: gas tip {have}, minimum needed {want}")]
    Underpriced {
        /// Priority fee in wei per gas.
        have: u128,
        /// Least priority fee in wei per gas.
        want: u128,
    },
    /// The pool is full and everything in it pays more.
    #[error("txpool is full: transaction underpriced, raise its fees or try again later")]
    Full,
    /// The sender has as many transactions in the pool as one may.
    #[error("too many transactions of this sender in the pool: limit {limit}, wait for some to be mined")]
    SenderFull {
        /// The limit.
        limit: usize,
    },
    /// The node failed to read its own state.
    #[error("internal: {0}; try again")]
    Internal(String),
}

impl PoolError {
    /// The JSON-RPC error code, as geth answers it.
    pub const fn rpc_code(&self) -> i32 {
        match self {
            Self::Internal(_) => -32603,
            _ => -32000,
        }
    }
}
