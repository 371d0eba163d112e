//! Accounts with consecutive private keys, so that a million addresses take seconds.

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_primitives::{Address, B256, TxKind, U256, keccak256};
use alloy_signer::{
    SignerSync,
    k256::{
        AffinePoint, ProjectivePoint, Scalar,
        elliptic_curve::{BatchNormalize, sec1::ToEncodedPoint},
    },
};
use alloy_signer_local::PrivateKeySigner;
use eyre::Result;
use openledger_primitives::OpenTxEnvelope;
use rayon::prelude::*;

use crate::genesis::CHAIN_ID;

/// The private key of account 0; account `i` has this plus `i`.
const FIRST_KEY: u64 = 1_000_000_007;
/// Addresses that are computed together.
const CHUNK: u64 = 4_096;
/// More than the base fee climbs to in any chain that is made here.
const MAX_FEE_WEI: u128 = 1_000_000_000_000;

/// Addresses of the first `count` accounts.
pub(crate) fn addresses(count: u64) -> Vec<Address> {
    let chunks: Vec<u64> = (0..count).step_by(CHUNK as usize).collect();
    let chunk = |&first: &u64| {
        let mut point = ProjectivePoint::GENERATOR * Scalar::from(FIRST_KEY + first);
        let mut points = Vec::new();
        for _ in first..count.min(first + CHUNK) {
            points.push(point);
            point += ProjectivePoint::GENERATOR;
        }
        let affine: Vec<AffinePoint> = ProjectivePoint::batch_normalize(points.as_slice());
        let address = |point: &AffinePoint| {
            let encoded = point.to_encoded_point(false);
            Address::from_slice(&keccak256(&encoded.as_bytes()[1..])[12..])
        };
        affine.iter().map(address).collect::<Vec<_>>()
    };
    chunks.par_iter().flat_map_iter(chunk).collect()
}

/// A transaction before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) from: u64,
    pub(crate) nonce: u64,
    pub(crate) to: Address,
    pub(crate) value: u64,
    pub(crate) gas_limit: u64,
    pub(crate) input: Vec<u8>,
}

/// Signs on all cores; the order is kept.
pub(crate) fn sign(drafts: Vec<Draft>) -> Result<Vec<OpenTxEnvelope>> {
    let sign = |draft: Draft| {
        let key = B256::from(U256::from(FIRST_KEY + draft.from));
        let transaction = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: draft.nonce,
            gas_limit: draft.gas_limit,
            max_fee_per_gas: MAX_FEE_WEI,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(draft.to),
            value: U256::from(draft.value),
            input: draft.input.into(),
            ..Default::default()
        };
        let signature = PrivateKeySigner::from_bytes(&key)?.sign_hash_sync(&transaction.signature_hash())?;
        Ok(OpenTxEnvelope::Eip1559(transaction.into_signed(signature)))
    };
    drafts.into_par_iter().map(sign).collect()
}

/// SplitMix64: the same numbers in every run.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn word(&mut self) -> B256 {
        keccak256(self.next().to_be_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_keys_that_sign() {
        let all = addresses(CHUNK + 3);
        for index in [0, 1, CHUNK - 1, CHUNK, CHUNK + 2] {
            let key = B256::from(U256::from(FIRST_KEY + index));
            assert_eq!(all[index as usize], PrivateKeySigner::from_bytes(&key).unwrap().address());
        }
    }
}
