//! The functions of `IPayouts`.

use super::{credits, requests};
use crate::attribution::{find_model, price_of, split_of};
use crate::frame::{Failure, Frame, Purity, Result, enter, reply};
use alloy_primitives::Bytes;
use alloy_sol_types::SolCall;
use openledger_abi::IPayouts::{self, IPayoutsCalls as Calls, *};
use openledger_shares::{fee_wei, split_fee};

/// What each function may do; `None` for a selector that the interface does not have.
pub(crate) fn purity(selector: [u8; 4]) -> Option<Purity> {
    Some(match selector {
        deadlineBoundsCall::SELECTOR
        | platformCall::SELECTOR
        | requestOfCall::SELECTOR
        | quoteCall::SELECTOR
        | creditOfCall::SELECTOR => Purity::View,
        refundCall::SELECTOR | claimCall::SELECTOR | claimForCall::SELECTOR | claimToCall::SELECTOR => {
            Purity::Write
        }
        requestCall::SELECTOR => Purity::Payable,
        _ => return None,
    })
}

/// Runs a call.
pub(crate) fn run(frame: &mut Frame<'_>, calldata: &[u8]) -> Result<Bytes> {
    match enter::<IPayouts::IPayoutsCalls>(frame, calldata, purity)? {
        Calls::deadlineBounds(_) => {
            let settings = requests::settings(frame)?;
            let returns = deadlineBoundsReturn {
                minimum: settings.minimum_deadline,
                maximum: settings.maximum_deadline,
            };
            reply::<deadlineBoundsCall>(frame, &returns)
        }
        Calls::platform(_) => {
            let platform = requests::platform(frame)?;
            reply::<platformCall>(frame, &platform)
        }
        Calls::requestOf(call) => {
            let (_, record) = requests::known(frame, call.requestId)?;
            reply::<requestOfCall>(frame, &requests::show(&record))
        }
        Calls::quote(call) => {
            let model = find_model(frame, call.model)?;
            let price = price_of(frame, &model)?;
            let fee = fee_wei(&price, call.tokensIn, call.tokensOut);
            let Some(parts) = split_fee(&price, &split_of(&model), fee) else {
                return Err(Failure::because("a model with a wrong split"));
            };
            let quote = Quote {
                fee,
                platform: parts.platform_wei,
                model: parts.model_wei,
                stakers: parts.stakers_wei,
                contributors: parts.contributors_wei,
            };
            reply::<quoteCall>(frame, &quote)
        }
        Calls::creditOf(call) => {
            let (_, credit) = credits::credit_of(frame, call.account)?;
            reply::<creditOfCall>(frame, &credit)
        }
        Calls::request(call) => {
            let id = requests::request(frame, &call)?;
            reply::<requestCall>(frame, &id)
        }
        Calls::refund(call) => {
            requests::refund(frame, call.requestId)?;
            Ok(Bytes::new())
        }
        Calls::claim(_) => {
            let account = frame.caller();
            let amount = credits::claim(frame, account, account)?;
            reply::<claimCall>(frame, &amount)
        }
        Calls::claimFor(call) => {
            let amount = credits::claim(frame, call.account, call.account)?;
            reply::<claimForCall>(frame, &amount)
        }
        Calls::claimTo(call) => {
            let amount = credits::claim_to(frame, call.account, call.to)?;
            reply::<claimToCall>(frame, &amount)
        }
    }
}
