//! Signatures of the people who have keys.

use crate::world;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{Eip712Domain, SolStruct};
use openledger_abi::PAYOUTS;
use std::borrow::Cow;

alloy_sol_types::sol! {
    #![sol(all_derives)]
    /// What a claim by signature is signed over.
    struct Claim { address account; address to; uint256 nonce; uint256 deadline; }
    /// What a voucher is signed over.
    struct Voucher { bytes32 channel; uint256 cumulative; }
}

/// The key of person `n`; the hash of a small number is a key of the curve.
fn key(n: usize) -> Option<PrivateKeySigner> {
    PrivateKeySigner::from_bytes(&world::secret(n)).ok()
}

/// The account of person `n` among those with keys.
pub(crate) fn address(n: usize) -> Address {
    key(n).map(|key| key.address()).unwrap_or_default()
}

/// The signature of `account` over a message in the domain of Payouts; empty for who has no key.
pub(crate) fn sign(account: Address, message: &impl SolStruct) -> Bytes {
    let domain = Eip712Domain {
        name: Some(Cow::Borrowed("OpenLedger Payouts")),
        version: Some(Cow::Borrowed("1")),
        chain_id: Some(U256::from(world::CHAIN)),
        verifying_contract: Some(PAYOUTS),
        salt: None,
    };
    let digest: B256 = message.eip712_signing_hash(&domain);
    let place = world::signers().iter().position(|signer| *signer == account);
    let signature = place.and_then(key).and_then(|key| key.sign_hash_sync(&digest).ok());
    signature.map(|signature| signature.as_bytes().into()).unwrap_or_default()
}
