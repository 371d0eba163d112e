//! The functions of `IDatanets`.

use super::layout::{CONTRIBUTION_BALANCES_SLOT, DATANET_BALANCES_SLOT};
use super::{commitments, registry, versions};
use crate::frame::Function;
use openledger_abi::IDatanets::*;
use openledger_abi::licence;

/// The functions of the precompile.
pub(crate) static FUNCTIONS: &[Function] = functions! {
    Pure LICENCE_TRAINCall since Meridian gives |_, _| Ok(licence::TRAIN);
    Pure LICENCE_SERVECall since Meridian gives |_, _| Ok(licence::SERVE);
    Pure LICENCE_RESELLCall since Meridian gives |_, _| Ok(licence::RESELL);
    Pure LICENCE_DERIVECall since Meridian gives |_, _| Ok(licence::DERIVE);
    View commitDepositCall since Meridian gives |frame, _| Ok(registry::globals(frame)?.commit_deposit);
    View revealWindowCall since Meridian gives |frame, _| Ok(registry::globals(frame)?.reveal_window);
    View datanetCountCall since Meridian gives |frame, _| Ok(registry::globals(frame)?.datanets);
    View contributionCountCall since Meridian gives |frame, _| Ok(registry::globals(frame)?.contributions);
    View isCuratorCall since Meridian gives |frame, call| {
        registry::is_curator(frame, call.datanet, call.account)
    };
    View commitmentOfCall since Meridian gives |frame, call| {
        let (_, record) = commitments::find(frame, call.owner, call.commitment)?;
        Ok(commitmentOfReturn {
            priority: record.priority,
            committedBlock: record.block,
            deposit: record.deposit,
        })
    };
    View datanetOfCall since Meridian gives |frame, call| registry::datanet_of(frame, call.datanet);
    View contributionOfCall since Meridian gives |frame, call| {
        let (_, record) = registry::contribution_of(frame, call.contribution)?;
        Ok(registry::show(&record))
    };
    View versionOfCall since Meridian gives |frame, call| {
        let record = versions::version_of(frame, call.datanet, call.version)?;
        Ok(versions::show(&record))
    };
    View datanetBalanceOfCall since Meridian gives |frame, call| {
        registry::balance_of(frame, DATANET_BALANCES_SLOT, call.owner)
    };
    View contributionBalanceOfCall since Meridian gives |frame, call| {
        registry::balance_of(frame, CONTRIBUTION_BALANCES_SLOT, call.owner)
    };
    Write createDatanetCall since Meridian gives |frame, call| {
        registry::create(frame, call.schemaHash, &call.domain, &call.metadataURI)
    };
    Write setCuratorCall since Meridian does |frame, call| {
        registry::set_curator(frame, call.datanet, call.curator, call.allowed)
    };
    Payable commitCall since Meridian gives |frame, call| commitments::commit(frame, call.commitment);
    Write revealCall since Meridian gives |frame, call| commitments::reveal(frame, &call);
    Write forfeitCall since Meridian does |frame, call| {
        commitments::forfeit(frame, call.owner, call.commitment)
    };
    Write publishVersionCall since Meridian gives |frame, call| versions::publish(frame, &call);
    Write transferDatanetCall since Meridian does |frame, call| {
        registry::transfer_datanet(frame, call.from, call.to, call.datanet)
    };
    Write transferContributionCall since Meridian does |frame, call| {
        registry::transfer_contribution(frame, call.from, call.to, call.contribution)
    };
};
