//! What is OpenLedger's own in genesis: the precompiles' accounts, the façades and the court.

use alloy_sol_types::SolValue;
use openledger_abi::{CLAIM_ROUTER, CONTRIBUTION_TOKEN, COURT, DATANET_TOKEN};
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
    let court = &parameters.court;
    let arguments = (
        court.challenge_stake_wei,
        court.appeal_bond_wei,
        court.evidence_blocks,
        court.voting_blocks,
        court.appeal_blocks,
    )
        .abi_encode_params();
    let constructed = evm.construct("Court", artifacts.own("Court")?.init_code_with(&arguments))?;
    evm.put(COURT, constructed.code, constructed.storage);
    Ok(())
}
