//! The functions of `IDatanets`.

use super::layout::{CONTRIBUTION_BALANCES_SLOT, DATANET_BALANCES_SLOT};
use super::{commitments, registry, versions};
use crate::frame::{Frame, Purity, Result, enter, reply};
use alloy_primitives::Bytes;
use alloy_sol_types::SolCall;
use openledger_abi::IDatanets::{self, IDatanetsCalls as Calls, *};
use openledger_abi::licence;

/// What each function may do; `None` for a selector that the interface does not have.
pub(crate) fn purity(selector: [u8; 4]) -> Option<Purity> {
    Some(match selector {
        LICENCE_TRAINCall::SELECTOR
        | LICENCE_SERVECall::SELECTOR
        | LICENCE_RESELLCall::SELECTOR
        | LICENCE_DERIVECall::SELECTOR => Purity::Pure,
        commitDepositCall::SELECTOR
        | revealWindowCall::SELECTOR
        | isCuratorCall::SELECTOR
        | commitmentOfCall::SELECTOR
        | datanetOfCall::SELECTOR
        | contributionOfCall::SELECTOR
        | versionOfCall::SELECTOR
        | datanetCountCall::SELECTOR
        | contributionCountCall::SELECTOR
        | datanetBalanceOfCall::SELECTOR
        | contributionBalanceOfCall::SELECTOR => Purity::View,
        createDatanetCall::SELECTOR
        | setCuratorCall::SELECTOR
        | revealCall::SELECTOR
        | forfeitCall::SELECTOR
        | publishVersionCall::SELECTOR
        | transferDatanetCall::SELECTOR
        | transferContributionCall::SELECTOR => Purity::Write,
        commitCall::SELECTOR => Purity::Payable,
        _ => return None,
    })
}

/// Runs a call.
pub(crate) fn run(frame: &mut Frame<'_>, calldata: &[u8]) -> Result<Bytes> {
    match enter::<IDatanets::IDatanetsCalls>(frame, calldata, purity)? {
        Calls::LICENCE_TRAIN(_) => reply::<LICENCE_TRAINCall>(frame, &licence::TRAIN),
        Calls::LICENCE_SERVE(_) => reply::<LICENCE_SERVECall>(frame, &licence::SERVE),
        Calls::LICENCE_RESELL(_) => reply::<LICENCE_RESELLCall>(frame, &licence::RESELL),
        Calls::LICENCE_DERIVE(_) => reply::<LICENCE_DERIVECall>(frame, &licence::DERIVE),
        Calls::commitDeposit(_) => {
            let globals = registry::globals(frame)?;
            reply::<commitDepositCall>(frame, &globals.commit_deposit)
        }
        Calls::revealWindow(_) => {
            let globals = registry::globals(frame)?;
            reply::<revealWindowCall>(frame, &globals.reveal_window)
        }
        Calls::datanetCount(_) => {
            let globals = registry::globals(frame)?;
            reply::<datanetCountCall>(frame, &globals.datanets)
        }
        Calls::contributionCount(_) => {
            let globals = registry::globals(frame)?;
            reply::<contributionCountCall>(frame, &globals.contributions)
        }
        Calls::isCurator(call) => {
            let allowed = registry::is_curator(frame, call.datanet, call.account)?;
            reply::<isCuratorCall>(frame, &allowed)
        }
        Calls::commitmentOf(call) => {
            let (_, record) = commitments::find(frame, call.owner, call.commitment)?;
            let returns = commitmentOfReturn {
                priority: record.priority,
                committedBlock: record.block,
                deposit: record.deposit,
            };
            reply::<commitmentOfCall>(frame, &returns)
        }
        Calls::datanetOf(call) => {
            let datanet = registry::datanet_of(frame, call.datanet)?;
            reply::<datanetOfCall>(frame, &datanet)
        }
        Calls::contributionOf(call) => {
            let (_, record) = registry::contribution_of(frame, call.contribution)?;
            reply::<contributionOfCall>(frame, &registry::show(&record))
        }
        Calls::versionOf(call) => {
            let record = versions::version_of(frame, call.datanet, call.version)?;
            reply::<versionOfCall>(frame, &versions::show(&record))
        }
        Calls::datanetBalanceOf(call) => {
            let balance = registry::balance_of(frame, DATANET_BALANCES_SLOT, call.owner)?;
            reply::<datanetBalanceOfCall>(frame, &balance)
        }
        Calls::contributionBalanceOf(call) => {
            let balance = registry::balance_of(frame, CONTRIBUTION_BALANCES_SLOT, call.owner)?;
            reply::<contributionBalanceOfCall>(frame, &balance)
        }
        Calls::createDatanet(call) => {
            let datanet = registry::create(frame, call.schemaHash, &call.domain, &call.metadataURI)?;
            reply::<createDatanetCall>(frame, &datanet)
        }
        Calls::setCurator(call) => {
            registry::set_curator(frame, call.datanet, call.curator, call.allowed)?;
            Ok(Bytes::new())
        }
        Calls::commit(call) => {
            let priority = commitments::commit(frame, call.commitment)?;
            reply::<commitCall>(frame, &priority)
        }
        Calls::reveal(call) => {
            let contribution = commitments::reveal(frame, &call)?;
            reply::<revealCall>(frame, &contribution)
        }
        Calls::forfeit(call) => {
            commitments::forfeit(frame, call.owner, call.commitment)?;
            Ok(Bytes::new())
        }
        Calls::publishVersion(call) => {
            let version = versions::publish(frame, &call)?;
            reply::<publishVersionCall>(frame, &version)
        }
        Calls::transferDatanet(call) => {
            registry::transfer_datanet(frame, call.from, call.to, call.datanet)?;
            Ok(Bytes::new())
        }
        Calls::transferContribution(call) => {
            registry::transfer_contribution(frame, call.from, call.to, call.contribution)?;
            Ok(Bytes::new())
        }
    }
}
