//! The story from its first step to its last: each step is timed and written into the report.

use std::{collections::BTreeMap, future::Future, time::Duration};

use alloy_primitives::{Address, U256};
use tokio::time::Instant;

use super::{ONE_OPEN, Report, Story, player::Player, verify};
use crate::{Deposit, Devnet, DevnetError};

/// Deposited to each account of the story, in OPEN.
const ACCOUNT_OPEN: u128 = 100;
/// Deposited to the attributor, for its bond and its transactions, in OPEN.
const ATTRIBUTOR_OPEN: u128 = 1_000;
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
        if let Some(court) = &self.court {
            report.court = Some(clock.time("court", player.dispute(court, devnet)).await?);
        }

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

pub(super) fn failed(reason: &str) -> DevnetError {
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
