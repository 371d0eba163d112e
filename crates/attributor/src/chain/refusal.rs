//! What a node's refusals mean.

use crate::AttributorError;
use alloy_sol_types::{SolInterface, decode_revert_reason};
use alloy_transport::{RpcError, TransportError};
use openledger_abi::{IAttribution, ICourt, IDatanets, IPayouts};

/// JSON-RPC: no such method, wrong parameters.
const NOT_A_NODE: [i64; 2] = [-32601, -32602];

/// Tells a node that is away, a node that cannot now, and a call that reverts; names the revert.
pub(super) fn refusal(error: TransportError) -> AttributorError {
    let RpcError::ErrorResp(payload) = &error else { return AttributorError::Chain(error.to_string()) };
    if let Some(data) = payload.as_revert_data() {
        return reverted(&data);
    }
    let message = payload.message.to_string();
    if payload.code == 3 || message.contains("execution reverted") || NOT_A_NODE.contains(&payload.code) {
        return AttributorError::Reverted(message);
    }
    // A nonce or a fee that was overtaken, an empty account, a block that a restarted node has not yet read.
    AttributorError::NotNow(message)
}

pub(super) fn reverted(data: &[u8]) -> AttributorError {
    if let Ok(error) = IAttribution::IAttributionErrors::abi_decode(data) {
        return match error {
            // Open receipts hold the bond, and let go of it when their challenge window ends.
            IAttribution::IAttributionErrors::BondTooSmall(_) => {
                AttributorError::NotNow(format!("{error:?}"))
            }
            IAttribution::IAttributionErrors::UnknownRequest(e) => unknown("request", e.requestId),
            IAttribution::IAttributionErrors::UnknownReceipt(e) => unknown("receipt", e.requestId),
            IAttribution::IAttributionErrors::UnknownModel(e) => unknown("model", e.model),
            IAttribution::IAttributionErrors::UnknownContribution(e) => {
                unknown("contribution", e.contribution)
            }
            IAttribution::IAttributionErrors::UnknownDatanet(e) => unknown("Datanet", e.datanet),
            error => AttributorError::Reverted(format!("{error:?}")),
        };
    }
    // What the other two have in common with the first has the same selector there.
    let datanets = IDatanets::IDatanetsErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let payouts = || IPayouts::IPayoutsErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let court = || ICourt::ICourtErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let reason =
        datanets.or_else(|_| payouts()).or_else(|_| court()).ok().or_else(|| decode_revert_reason(data));
    AttributorError::Reverted(
        reason.unwrap_or_else(|| format!("revert data 0x{}", alloy_primitives::hex::encode(data))),
    )
}

fn unknown(what: &str, which: impl std::fmt::Display) -> AttributorError {
    AttributorError::NotFound(format!("the chain has no {what} {which}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, U256};
    use alloy_sol_types::{Revert, SolError};

    fn refused(code: i64, message: &str, data: Option<&[u8]>) -> AttributorError {
        let data = data.map(|data| format!("0x{}", alloy_primitives::hex::encode(data)));
        let payload = serde_json::json!({ "code": code, "message": message, "data": data });
        refusal(RpcError::ErrorResp(serde_json::from_value(payload).unwrap()))
    }

    #[test]
    fn only_what_cannot_change_by_itself_is_final() {
        let bond = IAttribution::BondTooSmall { free: U256::from(1), required: U256::from(2) }.abi_encode();
        let expired = IAttribution::DeadlinePassed { deadline: 7 }.abi_encode();
        let unknown = IAttribution::UnknownReceipt { requestId: B256::repeat_byte(7) }.abi_encode();
        let retried = [
            refused(3, "execution reverted", Some(&bond)),
            refused(-32000, "nonce too low: next nonce 4, tx nonce 3", None),
            refused(-32000, "header not found: block latest is not on this chain", None),
            refused(-32603, "internal: shutting down", None),
            refusal(RpcError::NullResp),
        ];
        for error in retried {
            assert!(error.is_retryable(), "{error}");
        }
        let kept = [
            (refused(3, "execution reverted", Some(&expired)), "DeadlinePassed"),
            (refused(3, "execution reverted", Some(&unknown)), "no receipt 0x07"),
            (refused(3, "execution reverted", None), "execution reverted"),
            (refused(-32601, "method not found", None), "method not found"),
            (refused(3, "execution reverted", Some(&Revert::from("why").abi_encode())), "why"),
        ];
        for (error, reason) in kept {
            assert!(!error.is_retryable() && error.to_string().contains(reason), "{error}");
        }
    }
}
