//! Blobs and the hashes that name them.

use alloy_eips::eip4844::{Blob, c_kzg, env_settings::EnvKzgSettings, kzg_to_versioned_hash};
use alloy_primitives::B256;

use crate::L1Error;

/// The versioned hash of a blob's commitment; takes tens of milliseconds.
pub fn versioned_hash_of(blob: &Blob) -> Result<B256, L1Error> {
    let failed = |error: c_kzg::Error| L1Error::Kzg(error.to_string());
    let blob = c_kzg::Blob::from_bytes(blob.as_slice()).map_err(failed)?;
    let settings = EnvKzgSettings::Default;
    let commitment = settings.get().blob_to_kzg_commitment(&blob).map_err(failed)?;
    Ok(kzg_to_versioned_hash(commitment.to_bytes().as_slice()))
}
