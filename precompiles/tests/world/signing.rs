//! An account with a key, and its signatures over typed data.

use super::CHAIN;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{Eip712Domain, SolStruct};
use openledger_abi::PAYOUTS;

alloy_sol_types::sol! {
    struct Claim { address account; address to; uint256 nonce; uint256 deadline; }
    struct Voucher { bytes32 channel; uint256 cumulative; }
}

/// Its key.
pub fn key() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(0x5e)).unwrap()
}

/// The account that signs.
pub fn signer() -> Address {
    key().address()
}

/// Its signature in the domain of Payouts.
pub fn sign(message: &impl SolStruct) -> Bytes {
    let domain = Eip712Domain {
        name: Some("OpenLedger Payouts".into()),
        version: Some("1".into()),
        chain_id: Some(U256::from(CHAIN)),
        verifying_contract: Some(PAYOUTS),
        salt: None,
    };
    let signature = key().sign_hash_sync(&message.eip712_signing_hash(&domain)).unwrap();
    signature.as_bytes().into()
}
