//! The functions of `IDatanets`.

use super::layout::{CONTRIBUTION_BALANCES_SLOT, DATANET_BALANCES_SLOT, MAX_ROWS};
use super::licences::Asked;
use super::{
    clusters, commitments, contributions, grants, judging, licences, owners, parents, registry, roles,
    versions,
};
use crate::frame::Table;
use openledger_abi::IDatanets::*;
use openledger_abi::licence::{self, purpose};

/// The functions of the precompile.
pub(crate) static FUNCTIONS: Table = functions! {
    Pure LICENCE_TRAINCall since Meridian gives |_, _| Ok(licence::TRAIN);
    Pure LICENCE_SERVECall since Meridian gives |_, _| Ok(licence::SERVE);
    Pure LICENCE_RESELLCall since Meridian gives |_, _| Ok(licence::RESELL);
    Pure LICENCE_DERIVECall since Meridian gives |_, _| Ok(licence::DERIVE);
    Pure PURPOSE_COMMERCIALCall since Meridian gives |_, _| Ok(purpose::COMMERCIAL);
    Pure PURPOSE_RESEARCHCall since Meridian gives |_, _| Ok(purpose::RESEARCH);
    Pure PURPOSE_EDUCATIONCall since Meridian gives |_, _| Ok(purpose::EDUCATION);
    Pure PURPOSE_PUBLIC_SECTORCall since Meridian gives |_, _| Ok(purpose::PUBLIC_SECTOR);
    Pure PURPOSE_MEDICALCall since Meridian gives |_, _| Ok(purpose::MEDICAL);
    Pure PURPOSE_PERSONALCall since Meridian gives |_, _| Ok(purpose::PERSONAL);
    Pure MAX_ROWSCall since Meridian gives |_, _| Ok(MAX_ROWS);
    View commitDepositCall since Meridian gives |frame, _| Ok(registry::globals(frame)?.commit_deposit);
    View revealWindowCall since Meridian gives |frame, _| Ok(registry::globals(frame)?.reveal_window);
    View datanetCountCall since Meridian gives |frame, _| Ok(registry::globals(frame)?.datanets);
    View contributionCountCall since Meridian gives |frame, _| Ok(registry::globals(frame)?.contributions);
    View isCuratorCall since Meridian gives |frame, call| {
        roles::is_curator(frame, call.datanet, call.account)
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
        contributions::show(frame, call.contribution)
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
        registry::create(frame, &call)
    };
    Write setCuratorCall since Meridian does |frame, call| {
        roles::set_curator(frame, call.datanet, call.curator, call.allowed)
    };
    Payable commitCall since Meridian gives |frame, call| commitments::commit(frame, call.commitment);
    Write revealCall since Meridian gives |frame, call| commitments::reveal(frame, &call);
    Write forfeitCall since Meridian does |frame, call| {
        commitments::forfeit(frame, call.owner, call.commitment)
    };
    Write publishVersionCall since Meridian gives versions::publish;
    Write transferDatanetCall since Meridian does |frame, call| {
        registry::transfer_datanet(frame, call.from, call.to, call.datanet)
    };
    Write transferContributionCall since Meridian does |frame, call| {
        owners::transfer(frame, call.from, call.to, call.contribution)
    };
    Write createDatanetWithCall since Meridian gives registry::create_with;
    Write setRulesCall since Meridian does |frame, call| {
        registry::set_rules(frame, call.datanet, &call.rules)
    };
    View rulesOfCall since Meridian gives |frame, call| registry::rules_of(frame, call.datanet);
    View ancestorsOfCall since Meridian gives |frame, call| parents::ancestors_of(frame, call.datanet);
    Write setModeratorCall since Meridian does |frame, call| {
        roles::set_moderator(frame, call.datanet, call.moderator, call.allowed)
    };
    View isModeratorCall since Meridian gives |frame, call| {
        roles::is_moderator(frame, call.datanet, call.account)
    };
    Write revealWithCall since Meridian gives commitments::reveal_with;
    View termsOfCall since Meridian gives |frame, call| contributions::terms_of(frame, call.contribution);
    View endOfCall since Meridian gives |frame, call| contributions::end_of(frame, call.contribution);
    View ownersOfCall since Meridian gives |frame, call| owners::current_owners(frame, call.contribution);
    View ownersAtCall since Meridian gives |frame, call| {
        owners::owners_at(frame, call.contribution, call.receipt)
    };
    Write transferShareCall since Meridian does |frame, call| {
        owners::transfer_share(frame, call.contribution, call.to, call.bps)
    };
    Write approveContributionCall since Meridian does |frame, call| {
        judging::approve(frame, call.contribution)
    };
    Write rejectContributionCall since Meridian does |frame, call| {
        judging::reject(frame, call.contribution, &call.reason)
    };
    Payable challengeContributionCall since Meridian does |frame, call| {
        judging::challenge(frame, call.contribution, &call.reason)
    };
    Write resolveContributionCall since Meridian does |frame, call| {
        judging::resolve(frame, call.contribution, call.upheld, &call.reason)
    };
    Write tombstoneCall since Meridian does |frame, call| {
        judging::tombstone(frame, call.contribution, &call.reason)
    };
    Write recordClusterCall since Meridian gives clusters::record;
    Payable challengeClusterCall since Meridian does |frame, call| {
        clusters::challenge(frame, call.cluster, call.evidence)
    };
    Write resolveClusterCall since Meridian does |frame, call| {
        clusters::resolve(frame, call.cluster, call.upheld)
    };
    View clusterOfCall since Meridian gives |frame, call| clusters::cluster_of(frame, call.cluster);
    View clusterCountCall since Meridian gives |frame, _| clusters::count(frame);
    View canonicalOfCall since Meridian gives |frame, call| {
        clusters::canonical_of(frame, RowRef { contribution: call.contribution, row: call.row })
    };
    Write grantCall since Meridian does grants::grant;
    Payable buyGrantCall since Meridian does |frame, call| grants::buy(frame, call.contribution);
    Write revokeGrantCall since Meridian does |frame, call| grants::revoke(frame, &call);
    View grantOfCall since Meridian gives |frame, call| {
        grants::grant_of(frame, call.contribution, call.grantee)
    };
    Write withdrawLicenceCall since Meridian does |frame, call| {
        grants::withdraw(frame, call.contribution, call.lastValid)
    };
    View permitsCall since Meridian gives |frame, call| {
        let asked = Asked {
            r#use: call.r#use,
            purposes: call.purposes,
            regions: call.regions,
            share_alike: call.shareAlike,
        };
        licences::permits(frame, call.contribution, call.account, &asked)
    };
};
