//! Many signers at once, by whatever the processor is best at.

use alloy_consensus::crypto::{RecoveryError, secp256k1};
use alloy_primitives::{Address, B256, Signature};

/// The signer of each hash, as [`secp256k1::recover_signer`] finds it: `s` must be in the lower half (EIP-2).
///
/// Uses one thread. On processors with AVX-512 IFMA it is several times as fast as one after the other, from
/// some eight signatures on; every signature that is not plainly valid there is decided by libsecp256k1.
pub fn recover_signers(signed: &[(Signature, B256)]) -> Vec<Result<Address, RecoveryError>> {
    let one = |(signature, hash): &(Signature, B256)| secp256k1::recover_signer(signature, *hash);
    #[cfg(target_arch = "x86_64")]
    if let Some(vectors) = &*crate::vectors::VECTORS {
        let found = vectors.signers(signed).into_iter().zip(signed);
        return found.map(|(signer, signed)| signer.map_or_else(|| one(signed), Ok)).collect();
    }
    signed.iter().map(one).collect()
}
