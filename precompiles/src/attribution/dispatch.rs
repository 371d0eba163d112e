//! The functions of `IAttribution`.

use super::layout::MAX_INLINE_SHARES;
use super::{bonds, lineage, models, settle};
use crate::frame::{Frame, Purity, Result, enter, reply};
use alloy_primitives::{Bytes, U256};
use alloy_sol_types::SolCall;
use openledger_abi::IAttribution::{self, IAttributionCalls as Calls, *};

/// What each function may do; `None` for a selector that the interface does not have.
pub(crate) fn purity(selector: [u8; 4]) -> Option<Purity> {
    Some(match selector {
        MAX_INLINE_SHARESCall::SELECTOR => Purity::Pure,
        challengeWindowCall::SELECTOR
        | modelOfCall::SELECTOR
        | modelCountCall::SELECTOR
        | isAttestorCall::SELECTOR
        | bondOfCall::SELECTOR
        | receiptOfCall::SELECTOR
        | lineageOfCall::SELECTOR => Purity::View,
        registerModelCall::SELECTOR
        | setAttestorCall::SELECTOR
        | unbondCall::SELECTOR
        | settleCall::SELECTOR => Purity::Write,
        bondCall::SELECTOR => Purity::Payable,
        _ => return None,
    })
}

/// Runs a call.
pub(crate) fn run(frame: &mut Frame<'_>, calldata: &[u8]) -> Result<Bytes> {
    match enter::<IAttribution::IAttributionCalls>(frame, calldata, purity)? {
        Calls::MAX_INLINE_SHARES(_) => reply::<MAX_INLINE_SHARESCall>(frame, &U256::from(MAX_INLINE_SHARES)),
        Calls::challengeWindow(_) => {
            let globals = models::globals(frame)?;
            reply::<challengeWindowCall>(frame, &globals.challenge_window)
        }
        Calls::modelCount(_) => {
            let globals = models::globals(frame)?;
            reply::<modelCountCall>(frame, &globals.models)
        }
        Calls::modelOf(call) => {
            let model = models::model_of(frame, call.model)?;
            reply::<modelOfCall>(frame, &model)
        }
        Calls::isAttestor(call) => {
            let allowed = models::is_attestor(frame, call.model, call.account)?;
            reply::<isAttestorCall>(frame, &allowed)
        }
        Calls::bondOf(call) => {
            let (total, locked) = bonds::bond_of(frame, call.attestor)?;
            reply::<bondOfCall>(frame, &bondOfReturn { total, locked })
        }
        Calls::receiptOf(call) => {
            let receipt = lineage::receipt_of(frame, call.requestId)?;
            reply::<receiptOfCall>(frame, &receipt)
        }
        Calls::lineageOf(call) => {
            let lineage = lineage::lineage_of(frame, &call)?;
            reply::<lineageOfCall>(frame, &lineage)
        }
        Calls::registerModel(call) => {
            let model = models::register(frame, &call.spec)?;
            reply::<registerModelCall>(frame, &model)
        }
        Calls::setAttestor(call) => {
            models::set_attestor(frame, call.model, call.attestor, call.allowed)?;
            Ok(Bytes::new())
        }
        Calls::bond(_) => {
            bonds::bond(frame)?;
            Ok(Bytes::new())
        }
        Calls::unbond(call) => {
            bonds::unbond(frame, call.amount)?;
            Ok(Bytes::new())
        }
        Calls::settle(call) => {
            settle::settle(frame, &call.receipt)?;
            Ok(Bytes::new())
        }
    }
}
