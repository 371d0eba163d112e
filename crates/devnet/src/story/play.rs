//! The player: each step is sent, waited for, timed, and written into the report.

use std::{collections::BTreeMap, future::Future, time::Duration};

use alloy_primitives::{Address, B256, U256, keccak256, utils::format_ether};
use alloy_rpc_types_eth::TransactionReceipt;
use alloy_sol_types::SolEvent;
use openledger_abi::{ATTRIBUTION, DATANETS, IAttribution, IDatanets, IPayouts, PAYOUTS};
use openledger_shares::{MerkleTree, contribution_commitment, prompt_hash, request_id, row_leaf};
use tokio::time::Instant;

use super::{
    ContributionPlan, CreditReport, DatanetReport, ModelReport, QuestionPlan, ReceiptReport, Report, Story,
    WithdrawalReport,
    attributor::{AttributorClient, SaltedRow},
    verify,
};
use crate::{Account, Call, Deposit, Devnet, DevnetError, L2_CHAIN_ID, Wallet, start_withdrawal};

const ONE_OPEN: u128 = 1_000_000_000_000_000_000;
/// Deposited to each account of the story, in OPEN.
const ACCOUNT_OPEN: u128 = 100;
/// Deposited to the attributor, for its bond and its transactions, in OPEN.
const ATTRIBUTOR_OPEN: u128 = 1_000;
/// Escrowed for a question, in thousandths of an OPEN.
const ESCROW_MILLI_OPEN: u128 = 50;
/// Seconds that the attributor has to settle.
const ANSWER_WITHIN_SECONDS: u64 = 1_800;
/// Part of what was claimed that is withdrawn, the rest pays for gas, in percent.
const WITHDRAWN_PERCENT: u64 = 50;
const DEPOSIT_WITHIN: Duration = Duration::from_secs(120);

impl Story {
    /// Plays the story on a prepared network, prints it, and writes `report.json` into its folder.
    ///
    /// Fails at the first step that does not do what it should.
    pub async fn play(&self, devnet: &mut Devnet) -> Result<(), DevnetError> {
        let started = Instant::now();
        let mut report = Report::default();
        let mut clock = Clock { seconds: &mut report.seconds };
        clock.time("chain", devnet.start_chain()).await?;
        clock.time("funding", self.fund(devnet)).await?;
        clock
            .time("attributor", async {
                devnet
                    .start_attributor()
                    .await?
                    .then_some(())
                    .ok_or_else(|| failed("there is no attributor program"))
            })
            .await?;
        let mut player = Player::new(self, devnet).await?;
        clock.time("datanets", player.create_datanets()).await?;
        clock.time("contributions", player.contribute()).await?;
        for plan in &self.models {
            let model = clock.time(&format!("training {}", plan.name), player.train(plan)).await?;
            report.models.push(model);
        }
        report.datanets = player.datanets().await?;
        println!("\nPaid questions");
        for (number, question) in (1..).zip(&self.questions) {
            let receipt = clock.time(&format!("question {number}"), player.ask(number, question)).await?;
            report.receipts.push(receipt);
        }
        clock.seconds.insert("until the last answer".into(), started.elapsed().as_secs_f64());
        player.print_totals(&report.receipts);

        let last = report.receipts.iter().map(|receipt| receipt.block).max().unwrap_or(1);
        let roles = devnet.roles();
        let (l1, l2, verifier) = (roles.l1_http(), roles.l2_http(), roles.verifier_http());
        devnet.start_verifier().await?;
        let derived = clock.time("verifier", verify::verifier(&l2, &verifier, last)).await?;
        let rollup = devnet.genesis().rollup.clone();
        let batcher = devnet.accounts().batcher.address();
        report.batches = clock.time("batches", verify::batches(&l1, &rollup, batcher)).await?;
        match report.batches.iter().find(|batch| (batch.l2_first..=batch.l2_last).contains(&last)) {
            Some(batch) => println!(
                "\nBatch on L1: transaction {} in block {}, {} blob(s), L2 blocks {} to {}",
                batch.l1_tx, batch.l1_block, batch.blobs, batch.l2_first, batch.l2_last
            ),
            None => return Err(failed(&format!("no batch on L1 holds L2 block {last}"))),
        }
        println!(
            "Verifier, from L1 alone: block {} {}\n  state root {} {}",
            derived.number,
            derived.hash,
            derived.state_root,
            if derived.equals_sequencer { "= the sequencer's" } else { "DIFFERS from the sequencer's" }
        );
        let equal = derived.equals_sequencer;
        report.verifier = Some(derived);
        report.withdrawals = clock.time("claims", player.claim()).await?;
        clock.seconds.insert("all".into(), started.elapsed().as_secs_f64());

        let layout = &devnet.roles().layout;
        layout.write_json(&layout.report(), &report)?;
        println!("\nReport: {} ({:.0} s)", layout.report().display(), started.elapsed().as_secs_f64());
        if !equal {
            return Err(failed("the verifier derived another chain than the sequencer sealed"));
        }
        match report.receipts.iter().find(|receipt| !receipt.adds_up()) {
            Some(receipt) => Err(failed(&format!("receipt {} does not add up", receipt.request_id))),
            None => Ok(()),
        }
    }

    async fn fund(&self, devnet: &Devnet) -> Result<(), DevnetError> {
        let deposit = |to: Address, open: u128| Deposit { to, amount_wei: U256::from(open * ONE_OPEN) };
        let mut deposits = vec![deposit(devnet.accounts().attributor.address(), ATTRIBUTOR_OPEN)];
        deposits.extend(self.accounts()?.iter().map(|account| deposit(account.address(), ACCOUNT_OPEN)));
        println!("Depositing OPEN from L1 to {} accounts", deposits.len());
        devnet.fund(&deposits, DEPOSIT_WITHIN).await
    }
}

fn failed(reason: &str) -> DevnetError {
    DevnetError::Story(reason.to_owned())
}

/// Seconds of each step.
struct Clock<'a> {
    seconds: &'a mut BTreeMap<String, f64>,
}

impl Clock<'_> {
    async fn time<T>(
        &mut self,
        step: &str,
        work: impl Future<Output = Result<T, DevnetError>>,
    ) -> Result<T, DevnetError> {
        let started = Instant::now();
        let done = work.await;
        self.seconds.insert(step.to_owned(), started.elapsed().as_secs_f64());
        done
    }
}

/// Plays on a network that is up.
struct Player<'a> {
    story: &'a Story,
    wallets: BTreeMap<String, Wallet>,
    keys: BTreeMap<String, Account>,
    names: BTreeMap<Address, String>,
    /// Numbers of the Datanets on chain, by name.
    datanets: BTreeMap<String, u64>,
    /// Datanet of each contribution on chain.
    contributions: BTreeMap<u64, u64>,
    /// Numbers of the models on chain, by name.
    models: BTreeMap<String, u64>,
    attributor: AttributorClient,
    attributor_account: Address,
    run_salt: B256,
}

impl<'a> Player<'a> {
    async fn new(story: &'a Story, devnet: &Devnet) -> Result<Self, DevnetError> {
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

    async fn create_datanets(&mut self) -> Result<(), DevnetError> {
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
    async fn contribute(&mut self) -> Result<(), DevnetError> {
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
            self.attributor.upload(&owner.signer, datanet, pledge.root, &pledge.rows).await?;
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
            self.contributions.insert(revealed.contribution, datanet);
            println!(
                "  {}: {} rows for {}, contribution {}, priority {}",
                plan.account, revealed.rows, plan.datanet, revealed.contribution, revealed.priority
            );
        }
        Ok(())
    }

    async fn train(&mut self, plan: &super::ModelPlan) -> Result<ModelReport, DevnetError> {
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

    async fn ask(&self, number: u64, question: &QuestionPlan) -> Result<ReceiptReport, DevnetError> {
        let wallet = self.wallet(&question.payer)?;
        let payer = self.keys.get(&question.payer).ok_or_else(|| failed("a payer without a key"))?;
        let model =
            *self.models.get(&question.model).ok_or_else(|| failed("a question to an untrained model"))?;
        let salt = self.secret("prompt", number);
        let hash = prompt_hash(salt, question.text.as_bytes());
        let deadline = self.now(wallet).await? + ANSWER_WITHIN_SECONDS;
        let escrow = U256::from(ESCROW_MILLI_OPEN * (ONE_OPEN / 1_000));
        let request = IPayouts::requestCall { model, promptHash: hash, deadline };
        let call = Call::function(format!("escrow question {number}"), PAYOUTS, &request).with_value(escrow);
        wallet.send(call).await?;
        let id = request_id(L2_CHAIN_ID, wallet.address(), model, hash, deadline);
        let answer = self.attributor.answer(&payer.signer, id, &question.text, salt).await?;
        let receipt = self.receipt(wallet, question, id, answer).await?;
        self.print(number, question, &receipt);
        Ok(receipt)
    }

    /// Reads a receipt and its payments back from the chain's own events.
    async fn receipt(
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
            } else if let Ok(event) = IPayouts::Credited::decode_log(log) {
                let datanet = self.contributions.get(&event.contribution).copied().unwrap_or_default();
                credited.push(CreditReport {
                    account: self.name(event.account),
                    datanet: self.datanet_name(datanet),
                    cluster: Some(format!("{}/{}", event.contribution, event.row)),
                    shares_ppm: event.ppm,
                    wei: event.amount,
                });
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
        Ok(ReceiptReport {
            request_id,
            block: info.blockNumber,
            question: question.text.clone(),
            about: question.about.clone(),
            answer,
            escrow_wei: request.maxFee,
            fee_wei: settled.fee,
            platform_wei: settled.platform,
            model_wei: settled.modelOwner,
            stakers_wei: settled.stakers,
            credited,
            refunded_wei: settled.refunded,
            unattributed_ppm: info.unattributedPpm,
        })
    }

    async fn claim(&self) -> Result<Vec<WithdrawalReport>, DevnetError> {
        let mut withdrawals = Vec::new();
        for plan in &self.story.claims {
            let wallet = self.wallet(&plan.account)?;
            let owed = wallet.view(PAYOUTS, &IPayouts::creditOfCall { account: wallet.address() }).await?;
            if owed.is_zero() {
                println!("\n{} has earned nothing to claim", plan.account);
                continue;
            }
            let claim = Call::function(format!("{} claims", plan.account), PAYOUTS, &IPayouts::claimCall {});
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

    async fn datanets(&self) -> Result<Vec<DatanetReport>, DevnetError> {
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

    fn print(&self, number: u64, question: &QuestionPlan, receipt: &ReceiptReport) {
        println!("\n  {number}. {} asks: {}", question.payer, question.text);
        println!("     {}", receipt.answer.split_whitespace().collect::<Vec<_>>().join(" "));
        println!(
            "     fee {} OPEN in block {}: platform {}, model {}, stakers {}; {} returned",
            format_ether(receipt.fee_wei),
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

    fn print_totals(&self, receipts: &[ReceiptReport]) {
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

    async fn now(&self, wallet: &Wallet) -> Result<u64, DevnetError> {
        wallet.latest_timestamp().await
    }

    fn wallet(&self, name: &str) -> Result<&Wallet, DevnetError> {
        self.wallets.get(name).ok_or_else(|| failed(&format!("no account is named {name}")))
    }

    fn datanet(&self, name: &str) -> Result<u64, DevnetError> {
        self.datanets.get(name).copied().ok_or_else(|| failed(&format!("no Datanet is named {name}")))
    }

    fn datanet_name(&self, number: u64) -> String {
        let named = self.datanets.iter().find(|(_, datanet)| **datanet == number);
        named.map_or_else(|| number.to_string(), |(name, _)| name.clone())
    }

    fn name(&self, account: Address) -> String {
        self.names.get(&account).cloned().unwrap_or_else(|| account.to_string())
    }

    /// Salts of this network: the same for every run on one genesis, and unknown to other networks.
    fn secret(&self, purpose: &str, index: u64) -> B256 {
        keccak256([self.run_salt.as_slice(), purpose.as_bytes(), &index.to_be_bytes()].concat())
    }
}

/// A contribution before it is revealed.
struct Pledge<'a> {
    rows: Vec<SaltedRow<'a>>,
    root: B256,
    salt: B256,
}

impl<'a> Pledge<'a> {
    fn new(plan: &'a ContributionPlan, secret: B256) -> Result<Self, DevnetError> {
        let salt_of = |index: u64| keccak256([secret.as_slice(), &index.to_be_bytes()].concat());
        let rows: Vec<SaltedRow<'_>> =
            (0..).zip(&plan.rows).map(|(index, text)| SaltedRow { salt: salt_of(index), text }).collect();
        let leaves = rows.iter().map(|row| row_leaf(row.salt, row.text.as_bytes())).collect();
        let tree = MerkleTree::new(leaves).map_err(|error| failed(&format!("{}: {error}", plan.account)))?;
        Ok(Self { rows, root: tree.root(), salt: secret })
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failing_step_is_timed_and_its_error_kept() {
        let mut seconds = BTreeMap::new();
        let mut clock = Clock { seconds: &mut seconds };
        let outcome: Result<(), _> = clock
            .time("step", async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Err(failed("as it should"))
            })
            .await;
        assert!(outcome.unwrap_err().to_string().contains("as it should"));
        assert!(seconds["step"] >= 0.005);
    }
}
