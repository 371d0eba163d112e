//! What was paid for an answer: read back from the chain's own events, and told.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256, utils::format_ether};
use alloy_sol_types::SolEvent;
use openledger_abi::{ATTRIBUTION, IAttribution, IPayouts, PAYOUTS};
use openledger_shares::divide_wei;

use super::{CreditReport, QuestionPlan, ReceiptReport, play::failed, player::Player};
use crate::{DevnetError, Wallet};

impl Player<'_> {
    /// Reads a receipt and its payments back from the chain's own events.
    pub(super) async fn receipt(
        &self,
        wallet: &Wallet,
        question: &QuestionPlan,
        request_id: B256,
        answer: String,
    ) -> Result<ReceiptReport, DevnetError> {
        let info = wallet.view(ATTRIBUTION, &IAttribution::receiptOfCall { requestId: request_id }).await?;
        let request = wallet.view(PAYOUTS, &IPayouts::requestOfCall { requestId: request_id }).await?;
        let logs = wallet.logs_in(info.blockNumber, PAYOUTS, request_id).await?;
        let mut settled = None;
        let mut credited = Vec::new();
        for log in &logs {
            if let Ok(event) = IPayouts::Settled::decode_log(log) {
                settled = Some(event.data);
            } else if let Ok(event) = IPayouts::UnattributedCredited::decode_log(log) {
                credited.push(CreditReport {
                    account: self.name(event.account),
                    datanet: self.datanet_name(event.datanet),
                    cluster: None,
                    shares_ppm: 0,
                    wei: event.amount,
                });
            }
        }
        let settled = settled.ok_or_else(|| failed("the receipt's block holds no settlement"))?;
        credited.extend(self.clusters(wallet, request_id, settled.contributors).await?);
        Ok(ReceiptReport {
            request_id,
            block: info.blockNumber,
            question: question.text.clone(),
            about: question.about.clone(),
            answer,
            fee_wei: request.maxFee,
            charged_wei: settled.fee,
            platform_wei: settled.platform,
            model_wei: settled.modelOwner,
            stakers_wei: settled.stakers,
            credited,
            refunded_wei: settled.refunded,
            unattributed_ppm: info.unattributedPpm,
        })
    }

    /// What each cluster of an answer earned: its share of what the contributors got, divided as the chain divides it.
    async fn clusters(
        &self,
        wallet: &Wallet,
        request_id: B256,
        contributors: U256,
    ) -> Result<Vec<CreditReport>, DevnetError> {
        let page =
            IAttribution::lineageOfCall { requestId: request_id, offset: U256::ZERO, limit: U256::MAX };
        let entries = wallet.view(ATTRIBUTION, &page).await?.entries;
        let ppm: Vec<u32> = entries.iter().map(|entry| entry.ppm).collect();
        let amounts = divide_wei(contributors, &ppm).map_err(|error| failed(&error.to_string()))?;
        let report = |(entry, wei): (IAttribution::LineageEntry, U256)| CreditReport {
            account: self.name(entry.owner),
            datanet: self.datanet_name(entry.datanet),
            cluster: Some(format!("{}/{}", entry.contribution, entry.row)),
            shares_ppm: entry.ppm,
            wei,
        };
        Ok(entries.into_iter().zip(amounts).map(report).collect())
    }

    pub(super) fn print(&self, number: u64, question: &QuestionPlan, receipt: &ReceiptReport) {
        println!("\n  {number}. {} asks: {}", question.payer, question.text);
        println!("     {}", receipt.answer.split_whitespace().collect::<Vec<_>>().join(" "));
        println!(
            "     fee {} OPEN in block {}: platform {}, model {}, stakers {}; {} returned",
            format_ether(receipt.charged_wei),
            receipt.block,
            format_ether(receipt.platform_wei),
            format_ether(receipt.model_wei),
            format_ether(receipt.stakers_wei),
            format_ether(receipt.refunded_wei),
        );
        for (name, wei) in receipt.by_datanet() {
            println!("     {name}: {} OPEN to its clusters", format_ether(wei));
        }
        let mut credits: Vec<&CreditReport> =
            receipt.credited.iter().filter(|c| c.cluster.is_some()).collect();
        credits.sort_by_key(|credit| std::cmp::Reverse(credit.wei));
        for credit in credits.iter().take(3) {
            let cluster = credit.cluster.as_deref().unwrap_or_default();
            let percent = f64::from(credit.shares_ppm) / 10_000.0;
            println!(
                "       {} earns {} OPEN for row {cluster} ({percent:.1} %)",
                credit.account,
                format_ether(credit.wei)
            );
        }
        println!("     without a clear source: {:.1} %", f64::from(receipt.unattributed_ppm) / 10_000.0);
    }

    pub(super) fn print_totals(&self, receipts: &[ReceiptReport]) {
        let mut totals: BTreeMap<&str, U256> = BTreeMap::new();
        for credit in receipts.iter().flat_map(|receipt| &receipt.credited) {
            *totals.entry(credit.account.as_str()).or_default() += credit.wei;
        }
        println!("\nEarned by data");
        for plan in &self.story.contributions {
            totals.entry(plan.account.as_str()).or_default();
        }
        for (account, wei) in totals {
            println!("  {account}: {} OPEN", format_ether(wei));
        }
    }
}
