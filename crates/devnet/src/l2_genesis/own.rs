//! What is OpenLedger's own in genesis: the precompiles' accounts and the façades.

use openledger_abi::{CLAIM_ROUTER, CONTRIBUTION_TOKEN, DATANET_TOKEN};
use openledger_precompiles::{CODE, genesis_storage};

use super::{L2Parameters, evm::GenesisEvm};
use crate::{Artifacts, DevnetError};

pub(super) fn place(
    evm: &mut GenesisEvm,
    artifacts: &Artifacts,
    parameters: &L2Parameters,
) -> Result<(), DevnetError> {
    for (address, storage) in genesis_storage(&parameters.precompiles) {
        evm.put(address, CODE.into(), storage);
    }
    for (name, address) in [
        ("DatanetToken", DATANET_TOKEN),
        ("ContributionToken", CONTRIBUTION_TOKEN),
        ("ClaimRouter", CLAIM_ROUTER),
    ] {
        let constructed = evm.construct(name, artifacts.own(name)?.init_code)?;
        evm.put(address, constructed.code, constructed.storage);
    }
    Ok(())
}
