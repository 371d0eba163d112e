//! `attributor gaming`: whether cheating pays, on a market played with real rows.

use std::{path::PathBuf, time::Instant};

use clap::{Args, ValueEnum};
use eyre::{Result, bail};
use openledger_attribution::{
    ClusterConfig,
    gaming::{Attack, AttackOutcome, Defences, SuiteConfig, audit_groups, play},
    retraining::{ModelKind, Task},
};
use serde_json::{Value, json};

/// Play a market with every attack and print what each gains. Fails when a promised limit is passed.
#[derive(Debug, Args)]
pub(crate) struct GamingArguments {
    /// An archive with rows and labels, as `attributor scores` reads it.
    #[arg(long, value_name = "NPZ")]
    input: PathBuf,
    /// The model that is retrained for every attack.
    #[arg(long, value_enum, default_value = "lr")]
    model: Form,
    /// Markets, each with its own rows, owners, questions and training.
    #[arg(long, default_value_t = SuiteConfig::default().seeds)]
    seeds: u64,
    /// Rows on offer in a market.
    #[arg(long, default_value_t = SuiteConfig::default().rows)]
    rows: usize,
    /// Owners that they are dealt to.
    #[arg(long, default_value_t = SuiteConfig::default().owners)]
    owners: usize,
    /// Paid answers of a market.
    #[arg(long, default_value_t = SuiteConfig::default().questions)]
    questions: usize,
    /// Cosine of two rows from which on the later one is a copy.
    #[arg(long, default_value_t = ClusterConfig::default().cosine)]
    cosine: f64,
    /// Play it without any defence too, for comparison.
    #[arg(long)]
    undefended: bool,
    /// Retrain one market without each owner in turn, and compare with what they were paid.
    #[arg(long)]
    audit: bool,
    /// CPU threads of libtorch.
    #[arg(long, default_value_t = 1)]
    threads: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// Multinomial logistic regression.
    Lr,
    /// One hidden layer.
    Mlp,
}

impl GamingArguments {
    /// Plays, prints a table to the terminal and one line of JSON.
    pub(crate) fn run(self) -> Result<()> {
        openledger_model::set_num_threads(i32::try_from(self.threads.clamp(1, 1024))?);
        let kind = match self.model {
            Form::Lr => ModelKind::LogisticRegression,
            Form::Mlp => ModelKind::Mlp,
        };
        let started = Instant::now();
        let task = Task::read(&self.input, kind)?;
        let config = SuiteConfig {
            seeds: self.seeds,
            rows: self.rows,
            owners: self.owners,
            questions: self.questions,
        };
        let clusters = ClusterConfig { cosine: self.cosine, ..ClusterConfig::default() };
        let defended = Defences { clusters: Some(clusters), ..Defences::all() };
        let attacks: Vec<Attack> = Attack::ALL.iter().map(|(attack, _)| *attack).collect();
        let step = |done: u64| eprintln!("market {done} of {}", self.seeds);
        let outcomes = play(&task, &attacks, &defended, config, step)?;
        let without = match self.undefended {
            true => play(&task, &attacks, &Defences::none(), config, step)?,
            false => vec![],
        };
        eprintln!(
            "{:<26} {:>6}  {:<17} {:>7} {:>12}",
            "attack", "gain", "95 % interval", "copies", "undefended"
        );
        for (i, outcome) in outcomes.iter().enumerate() {
            let bare = without.get(i).map_or("-".to_owned(), |o| format!("{:.2}", o.gain.value));
            let gain = outcome.gain;
            let (copies, verdict) = (100.0 * outcome.copies, verdict(outcome));
            eprintln!(
                "{:<26} {:>6.3}  [{:.3}, {:.3}] {copies:>9.0} % {bare:>9}  {verdict}",
                outcome.attack.name(),
                gain.value,
                gain.low,
                gain.high
            );
        }
        let audit = if self.audit { Some(audit_groups(&task, &defended, config, 0)?) } else { None };
        let audit = audit.map(|audit| {
            let groups = audit.groups.iter().map(|g| {
                let rise = g.loss_rise;
                json!({ "paid": g.paid, "worth": g.worth, "loss_rise": [rise.low, rise.value, rise.high] })
            });
            json!({ "rank_correlation": audit.rank_correlation, "groups": groups.collect::<Vec<_>>() })
        });
        let line = json!({
            "seeds": self.seeds, "rows": self.rows, "owners": self.owners, "questions": self.questions,
            "cosine": self.cosine,
            "attacks": outcomes.iter().map(as_json).collect::<Vec<_>>(),
            "undefended": without.iter().map(as_json).collect::<Vec<_>>(),
            "group_audit": audit,
            "seconds": started.elapsed().as_secs_f64(),
        });
        println!("{line}");
        match outcomes.iter().find(|outcome| !outcome.holds()) {
            Some(outcome) => {
                bail!("{} gains {:.3}, over its limit", outcome.attack.name(), outcome.gain.value)
            }
            None => Ok(()),
        }
    }
}

fn verdict(outcome: &AttackOutcome) -> String {
    match outcome.attack.limit() {
        None => String::new(),
        Some(limit) if outcome.holds() => format!("within {limit}"),
        Some(limit) => format!("OVER {limit}"),
    }
}

fn as_json(outcome: &AttackOutcome) -> Value {
    let gain = outcome.gain;
    json!({
        "attack": outcome.attack.name(),
        "gain": gain.value, "low": gain.low, "high": gain.high,
        "limit": outcome.attack.limit(),
        "copies": outcome.copies,
    })
}
