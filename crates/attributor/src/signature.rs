//! Signatures over messages.

use crate::AttributorError;
use alloy_primitives::{Address, Signature};

/// Checks an EIP-191 signature.
pub(crate) fn signed_by(account: Address, message: &str, signature: &[u8]) -> Result<(), AttributorError> {
    let signer = Signature::try_from(signature)
        .and_then(|signature| signature.recover_address_from_msg(message))
        .map_err(|error| AttributorError::Invalid(format!("signature: {error}")))?;
    if signer == account && account != Address::ZERO {
        Ok(())
    } else {
        Err(AttributorError::Forbidden(format!("the signature is {signer}'s, not {account}'s")))
    }
}
