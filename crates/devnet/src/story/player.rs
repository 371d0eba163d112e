//! Who does what on the network: creates, commits, reveals, trains, asks and claims.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256, keccak256, utils::format_ether};
use alloy_rpc_types_eth::TransactionReceipt;
use alloy_sol_types::SolEvent;
use openledger_abi::{DATANETS, IDatanets, IPayouts, PAYOUTS};
use openledger_shares::{contribution_commitment, prompt_hash, request_id};

use super::{
    DatanetReport, ModelPlan, ModelReport, ONE_OPEN, QuestionPlan, ReceiptReport, Story, WithdrawalReport,
    attributor::AttributorClient, play::failed, pledge::Pledge,
};
use crate::{Account, Call, Devnet, DevnetError, L2_CHAIN_ID, Wallet, start_withdrawal};

/// Escrowed for a question, in thousandths of an OPEN.
const ESCROW_MILLI_OPEN: u128 = 50;
/// Seconds that the attributor has to settle.
const ANSWER_WITHIN_SECONDS: u64 = 1_800;
/// Part of what was claimed that is withdrawn, the rest pays for gas, in percent.
const WITHDRAWN_PERCENT: u64 = 50;

/// Plays on a network that is up.
pub(super) struct Player<'a> {
    pub(super) story: &'a Story,
    pub(super) wallets: BTreeMap<String, Wallet>,
    pub(super) keys: BTreeMap<String, Account>,
    pub(super) names: BTreeMap<Address, String>,
    /// Numbers of the Datanets on chain, by name.
    pub(super) datanets: BTreeMap<String, u64>,
    /// Contributions on chain, by the account that made them.
    pub(super) contributions: BTreeMap<String, Vec<u64>>,
    /// Numbers of the models on chain, by name.
    pub(super) models: BTreeMap<String, u64>,
    pub(super) attributor: AttributorClient,
    pub(super) attributor_account: Address,
    pub(super) run_salt: B256,
}

impl<'a> Player<'a> {
    pub(super) async fn new(story: &'a Story, devnet: &Devnet) -> Result<Self, DevnetError> {
        let roles = devnet.roles();
        let mut player = Self {
            story,
            wallets: BTreeMap::new(),
            keys: BTreeMap::new(),
            names: BTreeMap::new(),
            datanets: BTreeMap::new(),
            contributions: BTreeMap::new(),
            models: BTreeMap::new(),
            attributor: AttributorClient::new(roles.attributor_http(), operator_token(devnet)?),
            attributor_account: devnet.accounts().attributor.address(),
            run_salt: devnet.genesis().rollup.genesis.l2.hash,
        };
        for account in story.accounts()? {
            let wallet = Wallet::connect(&roles.l2_http(), account.signer.clone()).await?;
            player.names.insert(account.address(), account.name.clone());
            player.wallets.insert(account.name.clone(), wallet);
            player.keys.insert(account.name.clone(), account);
        }
        for account in devnet.accounts().all() {
            player.names.insert(account.address(), account.name.clone());
        }
        Ok(player)
    }

    pub(super) async fn create_datanets(&mut self) -> Result<(), DevnetError> {
        println!("\nDatanets");
        for plan in &self.story.datanets {
            let create = IDatanets::createDatanetCall {
                schemaHash: keccak256("openledger:schema/text/v1"),
                domain: plan.domain.clone(),
                metadataURI: plan.metadata_uri.clone(),
            };
            let wallet = self.wallet(&plan.owner)?;
            let call = Call::function(format!("create Datanet {}", plan.name), DATANETS, &create);
            let created: IDatanets::DatanetCreated = event(&wallet.send(call).await?)?;
            let curate = IDatanets::setCuratorCall {
                datanet: created.datanet,
                curator: self.attributor_account,
                allowed: true,
            };
            wallet.send(Call::function("let the attributor curate", DATANETS, &curate)).await?;
            println!("  {} is Datanet {} of {}", plan.name, created.datanet, plan.owner);
            self.datanets.insert(plan.name.clone(), created.datanet);
        }
        Ok(())
    }

    /// Everyone commits first, in the story's order; then everyone reveals and hands rows over.
    pub(super) async fn contribute(&mut self) -> Result<(), DevnetError> {
        println!("\nContributions");
        let story = self.story;
        let mut sealed = Vec::new();
        for (index, plan) in story.contributions.iter().enumerate() {
            let pledge = Pledge::new(plan, self.secret("rows", index as u64))?;
            let wallet = self.wallet(&plan.account)?;
            let deposit = wallet.view(DATANETS, &IDatanets::commitDepositCall {}).await?;
            let datanet = self.datanet(&plan.datanet)?;
            let commitment =
                contribution_commitment(L2_CHAIN_ID, datanet, wallet.address(), pledge.root, pledge.salt);
            let commit = Call::function(
                format!("commit {}'s rows", plan.account),
                DATANETS,
                &IDatanets::commitCall { commitment },
            );
            wallet.send(commit.with_value(deposit)).await?;
            sealed.push(pledge);
        }
        for (plan, pledge) in story.contributions.iter().zip(sealed) {
            let datanet = self.datanet(&plan.datanet)?;
            let wallet = self.wallet(&plan.account)?.clone();
            let owner = self.keys.get(&plan.account).ok_or_else(|| failed("an account without a key"))?;
            self.attributor.upload(&owner.signer, datanet, &pledge).await?;
            let reveal = IDatanets::revealCall {
                datanet,
                root: pledge.root,
                salt: pledge.salt,
                rows: u32::try_from(plan.rows.len()).unwrap_or(u32::MAX),
                licence: plan.licence_bits(),
                expiry: 0,
            };
            let call = Call::function(format!("reveal {}'s contribution", plan.account), DATANETS, &reveal);
            let revealed: IDatanets::Revealed = event(&wallet.send(call).await?)?;
            self.contributions.entry(plan.account.clone()).or_default().push(revealed.contribution);
            println!(
                "  {}: {} rows for {}, contribution {}, priority {}",
                plan.account, revealed.rows, plan.datanet, revealed.contribution, revealed.priority
            );
        }
        Ok(())
    }

    pub(super) async fn train(&mut self, plan: &ModelPlan) -> Result<ModelReport, DevnetError> {
        println!("\nTraining {} on {}", plan.name, plan.datanets.join(" and "));
        let mut datanets = Vec::new();
        for name in &plan.datanets {
            datanets.push(self.datanet(name)?);
        }
        datanets.sort_unstable();
        self.attributor.train(&plan.name, &datanets, &plan.training).await?;
        let mut shown = 0;
        let trained = self
            .attributor
            .trained(&plan.name, |training| {
                if let (Some(step), Some(steps), Some(loss)) = (training.step, training.steps, training.loss)
                    && step >= shown + 10
                {
                    shown = step;
                    println!("  step {step} of {steps}: loss {loss:.3}");
                }
            })
            .await?;
        let model = trained.model.ok_or_else(|| failed("a ready model without a number"))?;
        println!("  loss {:.3} to {:.3}; model {model}", trained.loss_first, trained.loss_last);
        for held_out in &trained.held_out {
            let name = self.datanet_name(held_out.datanet);
            println!(
                "  on {} held-out rows of {name}: {:.3} to {:.3}",
                held_out.rows, held_out.before, held_out.after
            );
        }
        if trained.duplicates > 0 {
            println!("  {} near-duplicate rows left out", trained.duplicates);
        }
        self.models.insert(plan.name.clone(), model);
        Ok(ModelReport {
            name: plan.name.clone(),
            model,
            loss_first: trained.loss_first,
            loss_last: trained.loss_last,
            held_out: trained.held_out,
            duplicates: trained.duplicates,
            adapter_hash: trained.adapter_hash,
        })
    }

    pub(super) async fn ask(
        &self,
        number: u64,
        question: &QuestionPlan,
    ) -> Result<ReceiptReport, DevnetError> {
        let wallet = self.wallet(&question.payer)?;
        let payer = self.keys.get(&question.payer).ok_or_else(|| failed("a payer without a key"))?;
        let (id, salt) = self.escrow(number, &question.payer, &question.model, &question.text).await?;
        let answer = self.attributor.answer(&payer.signer, id, &question.text, salt).await?;
        let receipt = self.receipt(wallet, question, id, answer).await?;
        self.print(number, question, &receipt);
        Ok(receipt)
    }

    /// Pays for an answer in advance; the request and the prompt's salt.
    pub(super) async fn escrow(
        &self,
        number: u64,
        payer: &str,
        model: &str,
        text: &str,
    ) -> Result<(B256, B256), DevnetError> {
        let wallet = self.wallet(payer)?;
        let model = *self.models.get(model).ok_or_else(|| failed("a question to an untrained model"))?;
        let salt = self.secret("prompt", number);
        let hash = prompt_hash(salt, text.as_bytes());
        let deadline = self.now(wallet).await? + ANSWER_WITHIN_SECONDS;
        let escrow = U256::from(ESCROW_MILLI_OPEN * (ONE_OPEN / 1_000));
        let request = IPayouts::requestCall { model, promptHash: hash, deadline };
        let call = Call::function(format!("escrow question {number}"), PAYOUTS, &request).with_value(escrow);
        wallet.send(call).await?;
        Ok((request_id(L2_CHAIN_ID, wallet.address(), model, hash, deadline), salt))
    }

    pub(super) async fn claim(&self) -> Result<Vec<WithdrawalReport>, DevnetError> {
        let mut withdrawals = Vec::new();
        for plan in &self.story.claims {
            let wallet = self.wallet(&plan.account)?;
            let contributions = self.contributions.get(&plan.account).cloned().unwrap_or_default();
            let mut owed =
                wallet.view(PAYOUTS, &IPayouts::creditOfCall { account: wallet.address() }).await?;
            for &contribution in &contributions {
                owed += wallet.view(PAYOUTS, &IPayouts::accruedOfCall { contribution }).await?.amount;
            }
            if owed.is_zero() {
                println!("\n{} has earned nothing to claim", plan.account);
                continue;
            }
            let claim = IPayouts::drawAndClaimCall { contributions };
            let claim = Call::function(format!("{} claims", plan.account), PAYOUTS, &claim);
            let claimed: IPayouts::Claimed = event(&wallet.send(claim).await?)?;
            println!("\n{} claims {} OPEN", plan.account, format_ether(claimed.amount));
            if plan.withdraw_to_l1 {
                let amount = claimed.amount * U256::from(WITHDRAWN_PERCENT) / U256::from(100);
                let started = start_withdrawal(wallet, wallet.address(), amount).await?;
                println!(
                    "  and starts a withdrawal of {} OPEN to L1: {} in L2 block {}",
                    format_ether(amount),
                    started.hash,
                    started.l2_block_number
                );
                withdrawals.push(WithdrawalReport {
                    account: plan.account.clone(),
                    claimed_wei: claimed.amount,
                    amount_wei: amount,
                    hash: started.hash,
                    l2_block: started.l2_block_number,
                });
            }
        }
        Ok(withdrawals)
    }

    pub(super) async fn datanets(&self) -> Result<Vec<DatanetReport>, DevnetError> {
        let mut reports = Vec::new();
        for plan in &self.story.datanets {
            let datanet = self.datanet(&plan.name)?;
            let wallet = self.wallet(&plan.owner)?;
            let info = wallet.view(DATANETS, &IDatanets::datanetOfCall { datanet }).await?;
            let (mut rows, mut clusters) = (0, 0);
            if info.versions > 0 {
                let latest = IDatanets::versionOfCall { datanet, version: info.versions };
                let latest = wallet.view(DATANETS, &latest).await?;
                (rows, clusters) = (latest.rows, latest.clusters);
            }
            let name = plan.name.clone();
            reports.push(DatanetReport {
                name,
                datanet,
                owner: info.owner,
                version: info.versions,
                rows,
                clusters,
            });
        }
        Ok(reports)
    }

    pub(super) async fn now(&self, wallet: &Wallet) -> Result<u64, DevnetError> {
        wallet.latest_timestamp().await
    }

    pub(super) fn wallet(&self, name: &str) -> Result<&Wallet, DevnetError> {
        self.wallets.get(name).ok_or_else(|| failed(&format!("no account is named {name}")))
    }

    pub(super) fn datanet(&self, name: &str) -> Result<u64, DevnetError> {
        self.datanets.get(name).copied().ok_or_else(|| failed(&format!("no Datanet is named {name}")))
    }

    pub(super) fn datanet_name(&self, number: u64) -> String {
        let named = self.datanets.iter().find(|(_, datanet)| **datanet == number);
        named.map_or_else(|| number.to_string(), |(name, _)| name.clone())
    }

    pub(super) fn name(&self, account: Address) -> String {
        self.names.get(&account).cloned().unwrap_or_else(|| account.to_string())
    }

    /// Salts of this network: the same for every run on one genesis, and unknown to other networks.
    pub(super) fn secret(&self, purpose: &str, index: u64) -> B256 {
        keccak256([self.run_salt.as_slice(), purpose.as_bytes(), &index.to_be_bytes()].concat())
    }
}

/// The event of that kind in a receipt.
fn event<E: SolEvent>(receipt: &TransactionReceipt) -> Result<E, DevnetError> {
    let logs = receipt.logs().iter();
    logs.into_iter()
        .find_map(|log| E::decode_log(&log.inner).ok().map(|log| log.data))
        .ok_or_else(|| failed(&format!("transaction {} has no {}", receipt.transaction_hash, E::SIGNATURE)))
}

/// The token that the attributor has made at its start.
fn operator_token(devnet: &Devnet) -> Result<String, DevnetError> {
    let path = devnet.roles().layout.data_of(crate::names::ATTRIBUTOR).join("operator.token");
    let token = std::fs::read_to_string(&path).map_err(DevnetError::io(&path))?;
    Ok(token.trim().to_owned())
}
