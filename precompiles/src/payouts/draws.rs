//! Draws: what contributions have accrued becomes what their owners are owed.

use super::layout::MAX_DRAWN;
use crate::datanets;
use crate::frame::{Frame, Result, revert};
use alloy_primitives::U256;
use openledger_abi::IPayouts::*;

/// Draws contributions one by one; the sum.
pub(super) fn draw(frame: &mut Frame<'_>, contributions: &[u64]) -> Result<U256> {
    if contributions.len() > MAX_DRAWN {
        let given = U256::from(contributions.len());
        revert!(TooManyContributions { maximum: U256::from(MAX_DRAWN), given });
    }
    // A contribution that was drawn just before costs little but taking its earner apart.
    frame.charge_unpack(contributions.len())?;
    let mut sum = U256::ZERO;
    for contribution in contributions {
        sum = sum.saturating_add(datanets::draw(frame, *contribution)?);
    }
    Ok(sum)
}

/// What a contribution has accrued and its owners have not drawn, and the receipts that paid it inline.
pub(super) fn accrued_of(frame: &mut Frame<'_>, contribution: u64) -> Result<accruedOfReturn> {
    frame.charge_unpack(1)?;
    let (_, earner) = datanets::earner_of(frame, contribution)?;
    Ok(accruedOfReturn { amount: U256::from(earner.accrued), receipts: earner.receipts.to() })
}
