//! The functions of `IAttribution`.

use super::layout::MAX_INLINE_SHARES;
use super::{bonds, lineage, models, settle};
use crate::frame::Function;
use alloy_primitives::U256;
use openledger_abi::IAttribution::*;

/// The functions of the precompile.
pub(crate) static FUNCTIONS: &[Function] = functions! {
    Pure MAX_INLINE_SHARESCall since Meridian gives |_, _| Ok(U256::from(MAX_INLINE_SHARES));
    View challengeWindowCall since Meridian gives |frame, _| Ok(models::globals(frame)?.challenge_window);
    View modelCountCall since Meridian gives |frame, _| Ok(models::globals(frame)?.models);
    View modelOfCall since Meridian gives |frame, call| models::model_of(frame, call.model);
    View isAttestorCall since Meridian gives |frame, call| models::is_attestor(frame, call.model, call.account);
    View bondOfCall since Meridian gives |frame, call| {
        let (total, locked) = bonds::bond_of(frame, call.attestor)?;
        Ok(bondOfReturn { total, locked })
    };
    View receiptOfCall since Meridian gives |frame, call| lineage::receipt_of(frame, call.requestId);
    View lineageOfCall since Meridian gives |frame, call| lineage::lineage_of(frame, &call);
    Write registerModelCall since Meridian gives |frame, call| models::register(frame, &call.spec);
    Write setAttestorCall since Meridian does |frame, call| {
        models::set_attestor(frame, call.model, call.attestor, call.allowed)
    };
    Payable bondCall since Meridian does |frame, _| bonds::bond(frame);
    Write unbondCall since Meridian does |frame, call| bonds::unbond(frame, call.amount);
    Write settleCall since Meridian does |frame, call| settle::settle(frame, &call.receipt);
};
