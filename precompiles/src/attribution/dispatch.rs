//! The functions of `IAttribution`.

use super::layout::{MAX_INLINE_SHARES, MAX_TAIL_LEAVES};
use super::{bonds, challenges, lineage, models, receipts, registration, settle, standing};
use crate::frame::Table;
use alloy_primitives::U256;
use openledger_abi::IAttribution::*;

/// The functions of the precompile.
pub(crate) static FUNCTIONS: Table = functions! {
    Pure MAX_INLINE_SHARESCall since Meridian gives |_, _| Ok(U256::from(MAX_INLINE_SHARES));
    Pure MAX_TAIL_LEAVESCall since Meridian gives |_, _| Ok(U256::from(MAX_TAIL_LEAVES));
    View challengeWindowCall since Meridian gives |frame, _| Ok(models::globals(frame)?.challenge_window);
    View modelCountCall since Meridian gives |frame, _| Ok(models::globals(frame)?.models);
    View receiptCountCall since Meridian gives |frame, _| standing::receipt_count(frame);
    View modelOfCall since Meridian gives |frame, call| models::model_of(frame, call.model);
    View standingOfCall since Meridian gives |frame, call| models::standing_of(frame, call.model);
    View faithfulnessOfCall since Meridian gives |frame, call| models::faithfulness_of(frame, call.model);
    View isAttestorCall since Meridian gives |frame, call| models::is_attestor(frame, call.model, call.account);
    View bondOfCall since Meridian gives |frame, call| bonds::bond_of(frame, call.attestor);
    View receiptOfCall since Meridian gives |frame, call| receipts::show_receipt(frame, call.requestId);
    View tailOfCall since Meridian gives |frame, call| receipts::show_tail(frame, call.requestId);
    View receiptsOfModelCall since Meridian gives |frame, call| receipts::receipts_of_model(frame, &call);
    View lineageOfCall since Meridian gives |frame, call| lineage::lineage_of(frame, &call);
    View historyOfCall since Meridian gives |frame, call| lineage::history_of(frame, &call);
    View challengeOfCall since Meridian gives |frame, call| challenges::challenge_of(frame, call.requestId);
    Write registerModelCall since Meridian gives |frame, call| registration::register(frame, &call.spec);
    Write registerModelWithCall since Meridian gives registration::register_with;
    Write refreshModelCall since Meridian gives |frame, call| standing::refresh(frame, call.model);
    Write setAttestorCall since Meridian does |frame, call| {
        models::set_attestor(frame, call.model, call.attestor, call.allowed)
    };
    Write publishFaithfulnessCall since Meridian does |frame, call| {
        models::publish_faithfulness(frame, &call)
    };
    Payable bondCall since Meridian does |frame, _| bonds::bond(frame);
    Write unbondCall since Meridian does |frame, call| bonds::unbond(frame, call.amount);
    Write settleCall since Meridian does |frame, call| settle::settle(frame, call.receipt);
    Write settleTailCall since Meridian does |frame, call| {
        settle::settle_tail(frame, call.receipt, &call.tail)
    };
    Payable freezeReceiptCall since Meridian does |frame, call| {
        challenges::freeze_receipt(frame, call.requestId, call.challenger)
    };
    Write resolveReceiptCall since Meridian does |frame, call| challenges::resolve(frame, &call);
};
