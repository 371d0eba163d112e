//! What licences allow a model: until when it may serve, and which contribution ends it then.

use super::layout::{ModelHead, PRICE};
use super::models::{find_model, globals};
use crate::frame::{Frame, Result, update};
use alloy_primitives::U256;
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::ModelLimited;

/// Receipts settled on this chain.
pub(crate) fn receipt_count(frame: &mut Frame<'_>) -> Result<u64> {
    Ok(globals(frame)?.receipts)
}

/// Ends what a model may do after `last`, unless it ends sooner; only where the model is for any purpose or shares a bit
/// with `purposes` (0: all).
pub(crate) fn limit_model(
    frame: &mut Frame<'_>,
    model: u64,
    purposes: u32,
    last: u64,
    contribution: u64,
) -> Result<()> {
    let found = find_model(frame, model)?;
    if purposes != 0 {
        // The purposes follow the platform fee in its slot.
        let word = frame.sload(ATTRIBUTION, found.slot.wrapping_add(PRICE).wrapping_add(U256::ONE))?;
        let own: u32 = (word >> 128u32).wrapping_to();
        if own != 0 && own & purposes == 0 {
            return Ok(());
        }
    }
    let head = found.head;
    if head.valid_until != 0 && last >= head.valid_until {
        return Ok(());
    }
    let limited = ModelHead { valid_until: last, ended_by: contribution, ..head };
    update(frame, ATTRIBUTION, found.slot, &head, &limited)?;
    frame.emit(ATTRIBUTION, &ModelLimited { model, contribution, validUntil: last })
}
