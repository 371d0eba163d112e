//! What is signed for Payouts off chain: claims and vouchers, as typed data (EIP-712).

use crate::frame::{Frame, Result, revert};
use alloy_primitives::{Address, B256};
use alloy_sol_types::SolStruct;
use openledger_abi::IPayouts::InvalidSignature;
use openledger_abi::PAYOUTS;

const NAME: &str = "OpenLedger Payouts";
const VERSION: &str = "1";

alloy_sol_types::sol! {
    /// Lets anyone pay what `account` is owed to `to`.
    struct Claim { address account; address to; uint256 nonce; uint256 deadline; }
    /// Lets a channel's provider have `cumulative` wei of it in all.
    struct Voucher { bytes32 channel; uint256 cumulative; }
}

pub(super) fn domain(frame: &mut Frame<'_>) -> Result<B256> {
    frame.domain_separator(NAME, VERSION, PAYOUTS)
}

/// Reverts unless `signer` signed `message`.
pub(super) fn check<S: SolStruct>(
    frame: &mut Frame<'_>,
    signer: Address,
    message: &S,
    signature: &[u8],
) -> Result<()> {
    let domain = domain(frame)?;
    let digest = frame.typed_digest(domain, message)?;
    if frame.recover(digest, signature)? != Some(signer) {
        revert!(InvalidSignature { account: signer });
    }
    Ok(())
}
