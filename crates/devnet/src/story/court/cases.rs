//! The court at work on a devnet: judges as processes, challenges by the command line, verdicts from the chain's events.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use alloy_primitives::{Address, B256, U256, utils::format_ether};
use alloy_provider::Provider;
use alloy_rpc_types_eth::Filter;
use alloy_sol_types::SolEvent;
use openledger_abi::{ATTRIBUTION, COURT, IAttribution, ICourt, IPayouts, PAYOUTS};
use serde_json::{Value, json};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use super::{CourtPlan, DisputePlan, Receipt};
use crate::{
    CommandLine, Devnet, DevnetError, Wallet, names,
    story::{
        play::failed,
        player::Player,
        report::{AccruedReport, CourtReport, DispatchReport, DisputeReport, MadeWholeReport},
    },
};

const POLL: Duration = Duration::from_millis(500);
/// From the last challenge to the last verdict: evidence, votes, and the time for an appeal.
const DECIDED_WITHIN: Duration = Duration::from_secs(420);
const STAKED_WITHIN: Duration = Duration::from_secs(120);
/// `attributor verify` of a receipt that differs.
const DIFFERS: i32 = 2;
/// What chooses libtorch's vector instructions, and its choices; a processor takes the best that it has up to one.
const CAPABILITY: &str = "ATEN_CPU_CAPABILITY";
const CAPABILITIES: [&str; 3] = ["default", "avx2", "avx512"];

/// A receipt under dispute.
struct Dispute<'a> {
    plan: &'a DisputePlan,
    request: B256,
    verified: Option<Value>,
    dispatched: Vec<DispatchReport>,
}

impl Player<'_> {
    /// Appoints the judges, lets the attestor lie, challenges, and waits for the verdicts.
    pub(in crate::story) async fn dispute(
        &self,
        plan: &CourtPlan,
        devnet: &mut Devnet,
    ) -> Result<CourtReport, DevnetError> {
        println!("\nThe court");
        self.appoint(plan, devnet).await?;
        let attestor =
            Wallet::connect(&devnet.roles().l2_http(), devnet.accounts().attributor.signer.clone()).await?;
        let bond = IAttribution::bondOfCall { attestor: attestor.address() };
        let bond_before = attestor.view(ATTRIBUTION, &bond).await?.total;
        let mut disputes = Vec::new();
        // Lies are settled by hand with the account of a service that must not send anything meanwhile.
        let mut plans: Vec<(u64, &DisputePlan)> = (1_000..).zip(&plan.disputes).collect();
        // What is run again comes last: it has all of its window for that.
        plans.sort_by_key(|(_, plan)| (plan.receipt == Receipt::Swapped, plan.receipt));
        let (honest, lies): (Vec<_>, Vec<_>) =
            plans.into_iter().partition(|(_, plan)| plan.receipt == Receipt::Honest);
        for (number, plan) in lies {
            let request = self.settle(number, plan, &attestor).await?;
            disputes.push(Dispute { plan, request, verified: None, dispatched: Vec::new() });
        }
        for dispute in &mut disputes {
            self.challenge(dispute, devnet).await?;
        }
        for (number, plan) in honest {
            let request = self.settle(number, plan, &attestor).await?;
            disputes.push(Dispute { plan, request, verified: None, dispatched: Vec::new() });
        }
        let accrued_before = self.accrued(&attestor).await?;
        for dispute in disputes.iter_mut().filter(|dispute| dispute.plan.receipt == Receipt::Honest) {
            self.challenge(dispute, devnet).await?;
        }
        for dispute in disputes.iter_mut().filter(|dispute| dispute.plan.receipt == Receipt::Honest) {
            dispute.dispatched = rerun_dispatched(dispute.request, devnet).await?;
        }
        let deadline = Instant::now() + DECIDED_WITHIN;
        let mut reports = Vec::new();
        for dispute in disputes {
            reports.push(self.verdict(&attestor, dispute, deadline).await?);
        }
        let accrued_after = self.accrued(&attestor).await?;
        let accrued = accrued_before.into_iter().map(|(contribution, before_wei)| AccruedReport {
            contribution,
            before_wei,
            after_wei: accrued_after.get(&contribution).copied().unwrap_or_default(),
        });
        Ok(CourtReport {
            disputes: reports,
            accrued: accrued.collect(),
            bond_before_wei: bond_before,
            bond_after_wei: attestor.view(ATTRIBUTION, &bond).await?.total,
        })
    }

    /// Starts the judges, waits for their stakes, and has the models' owner name them.
    async fn appoint(&self, plan: &CourtPlan, devnet: &mut Devnet) -> Result<(), DevnetError> {
        let mut keys = BTreeMap::new();
        let mut judges: Vec<&String> = plan.first.iter().chain(&plan.appeal).collect();
        judges.sort_unstable();
        judges.dedup();
        for name in judges {
            let account = self.keys.get(name).ok_or_else(|| failed("a judge without a key"))?;
            devnet.roles().layout.write_key(account)?;
            let key = devnet.roles().judge_key(name).ok_or_else(no_attributor)?;
            let printed: Value = said(&run(key).await?)?;
            let key: B256 = serde_json::from_value(printed["key"].clone())
                .map_err(|error| failed(&format!("a judge's key: {error}")))?;
            keys.insert(name.clone(), (account.address(), key));
            if plan.absent.contains(name) {
                let stake = devnet.roles().judge_stake(name).ok_or_else(no_attributor)?;
                said(&run(stake).await?)?;
            } else {
                devnet.start_judge(name).await?;
            }
        }
        let deadline = Instant::now() + STAKED_WITHIN;
        for (account, _) in keys.values() {
            while self.staked(*account).await?.is_zero() {
                timely(deadline, "the judges' stakes")?;
                sleep(POLL).await;
            }
        }
        let set = |names: &[String]| -> Vec<Value> {
            let named = names.iter().filter_map(|name| keys.get(name));
            named.map(|(account, key)| json!({ "account": account, "key": key })).collect()
        };
        let layout = &devnet.roles().layout;
        let path = layout.root().join("judges.json");
        layout.write_json(&path, &json!({ "first": set(&plan.first), "appeal": set(&plan.appeal) }))?;
        for model in self.models.values() {
            let appoint = devnet.roles().appoint(*model, &path).ok_or_else(no_attributor)?;
            said(&run(appoint).await?)?;
            println!("  {} judge model {model}, {} hear appeals", plan.first.join(", "), plan.appeal.len());
        }
        Ok(())
    }

    async fn staked(&self, account: Address) -> Result<U256, DevnetError> {
        let wallet = self.wallet("client")?;
        Ok(wallet.view(COURT, &ICourt::stakeOfCall { account }).await?.total)
    }

    /// Pays for an answer and has it settled as planned.
    async fn settle(&self, number: u64, plan: &DisputePlan, attestor: &Wallet) -> Result<B256, DevnetError> {
        let (request, salt) = self.escrow(number, &plan.payer, &plan.model, &plan.text).await?;
        let payer = self.keys.get(&plan.payer).ok_or_else(|| failed("a payer without a key"))?;
        let hand_over = self.attributor.hand_over(&payer.signer, request, &plan.text, salt);
        match plan.receipt {
            Receipt::Swapped => self.settle_swapped(attestor, request, hand_over).await?,
            Receipt::Withheld => self.settle_invented(attestor, request).await?,
            Receipt::Honest => {
                self.attributor.answer(&payer.signer, request, &plan.text, salt).await?;
            }
        }
        println!("  {:?} receipt {request}", plan.receipt);
        Ok(request)
    }

    /// Challenges the receipt within its window, and verifies it where its attributor knows it.
    async fn challenge(&self, dispute: &mut Dispute<'_>, devnet: &Devnet) -> Result<(), DevnetError> {
        let (roles, plan) = (devnet.roles(), dispute.plan);
        let account = self.keys.get(&plan.challenger).ok_or_else(|| failed("a challenger without a key"))?;
        if !roles.layout.key_of(&account.name).exists() {
            roles.layout.write_key(account)?;
        }
        let challenge = roles
            .challenge(&account.name, dispute.request, plan.receipt == Receipt::Swapped)
            .ok_or_else(no_attributor)?;
        let said = said(&run(challenge).await?)?;
        println!("  {} challenges it: {}", plan.challenger, said["transaction"].as_str().unwrap_or("?"));
        if plan.receipt != Receipt::Withheld {
            let verify = roles.verify(dispute.request).ok_or_else(no_attributor)?;
            let output = run(verify).await?;
            let expected = if plan.receipt == Receipt::Honest { 0 } else { DIFFERS };
            if output.status.code() != Some(expected) {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(failed(&format!("verifying ended with {}: {said}", output.status)));
            }
            dispute.verified = serde_json::from_slice(&output.stdout).ok();
        }
        Ok(())
    }

    async fn verdict(
        &self,
        wallet: &Wallet,
        dispute: Dispute<'_>,
        deadline: Instant,
    ) -> Result<DisputeReport, DevnetError> {
        let request = dispute.request;
        loop {
            let status = IAttribution::receiptOfCall { requestId: request };
            match wallet.view(ATTRIBUTION, &status).await?.status {
                IAttribution::ReceiptStatus::Upheld | IAttribution::ReceiptStatus::Slashed => break,
                _ => {}
            }
            timely(deadline, "the court's verdict")?;
            sleep(POLL).await;
        }
        let filter = Filter::new().address(ATTRIBUTION).from_block(0).topic1(request);
        let logs = wallet.provider().get_logs(&filter).await.map_err(DevnetError::rpc("eth_getLogs"))?;
        let mut report = DisputeReport {
            request_id: request,
            receipt: dispute.plan.receipt,
            challenger: dispute.plan.challenger.clone(),
            verified: dispute.verified,
            dispatched: dispute.dispatched,
            evidence_delivered: !wallet
                .view(COURT, &ICourt::caseOfCall { requestId: request })
                .await?
                .evidence
                .is_zero(),
            ..Default::default()
        };
        for log in logs {
            if let Ok(event) = IAttribution::ReceiptFrozen::decode_log(&log.inner) {
                (report.held_wei, report.stake_wei) = (event.held, event.stake);
            } else if let Ok(event) = IAttribution::ReceiptUpheld::decode_log(&log.inner) {
                report.burned_wei = event.burned;
                report.upheld = true;
            } else if let Ok(event) = IAttribution::ReceiptSlashed::decode_log(&log.inner) {
                report.slashed_wei = event.slashed;
                report.reward_wei = event.reward;
                report.burned_wei = event.burned;
            } else if let Ok(event) = IAttribution::MadeWhole::decode_log(&log.inner) {
                let whole = MadeWholeReport { contribution: event.contribution, wei: event.amount };
                report.made_whole.push(whole);
            }
        }
        println!(
            "  {:?} receipt {request}: {}, {} OPEN of the bond lost, {} OPEN to the challenger beside its stake",
            report.receipt,
            if report.upheld { "upheld, the stake burns" } else { "wrong" },
            format_ether(report.slashed_wei),
            format_ether(report.reward_wei),
        );
        Ok(report)
    }

    async fn accrued(&self, wallet: &Wallet) -> Result<BTreeMap<u64, U256>, DevnetError> {
        let mut accrued = BTreeMap::new();
        for &contribution in self.contributions.values().flatten() {
            let amount = wallet.view(PAYOUTS, &IPayouts::accruedOfCall { contribution }).await?.amount;
            accrued.insert(contribution, amount);
        }
        Ok(accrued)
    }
}

fn no_attributor() -> DevnetError {
    failed(&format!("there is no {} program", names::ATTRIBUTOR))
}

fn timely(deadline: Instant, what: &str) -> Result<(), DevnetError> {
    if Instant::now() < deadline { Ok(()) } else { Err(failed(&format!("gave up waiting for {what}"))) }
}

/// Runs a receipt again with each choice of vector instructions.
async fn rerun_dispatched(request: B256, devnet: &Devnet) -> Result<Vec<DispatchReport>, DevnetError> {
    let mut reports = Vec::new();
    for capability in CAPABILITIES {
        let verify = devnet.roles().verify(request).ok_or_else(no_attributor)?;
        let output = run_with(verify, &[(CAPABILITY, capability)]).await?;
        if output.status.code() == Some(1) {
            return Err(failed(&String::from_utf8_lossy(&output.stderr)));
        }
        let found: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| failed(&format!("a command's output: {error}")))?;
        let ppm = |name: &str| found[name].as_u64().ok_or_else(|| failed(&format!("verify says no {name}")));
        let report = DispatchReport {
            capability: capability.to_owned(),
            verdict: found["verdict"].as_str().unwrap_or_default().to_owned(),
            worst_share_difference: ppm("worst_share_difference")?,
            band: ppm("band")?,
            score_root: serde_json::from_value(found["score_root"].clone())
                .map_err(|error| failed(&format!("a score root: {error}")))?,
        };
        println!(
            "  run again with {CAPABILITY}={capability}: {}, {} ppm off, {} are allowed",
            report.verdict, report.worst_share_difference, report.band
        );
        reports.push(report);
    }
    Ok(reports)
}

async fn run(command: CommandLine) -> Result<std::process::Output, DevnetError> {
    run_with(command, &[]).await
}

async fn run_with(
    command: CommandLine,
    environment: &[(&str, &str)],
) -> Result<std::process::Output, DevnetError> {
    let mut process = Command::new(&command.program);
    process.args(&command.args).envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    process.output().await.map_err(DevnetError::io(&command.program))
}

/// The JSON that a command printed; its complaint where it failed.
fn said(output: &std::process::Output) -> Result<Value, DevnetError> {
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(&format!("a command's output: {error}")))
}
