//! Does cheating pay? A market of many owners is played on a small real task, once honestly and once with
//! an attack, for several seeds; the gain is the attacker's income with the attack over that without.
//!
//! Everything is retrained for every attack: rows are clustered, a model is trained on the canonical ones,
//! it answers questions that were in no row, and each answer (what the model says, right or wrong) is
//! divided by the same scores, caps, noise floor and shares that receipts are made with.

mod attacks;
mod bootstrap;
mod group_audit;
mod market;
mod pool;
#[cfg(test)]
mod tests;

pub use attacks::Attack;
pub use bootstrap::{Estimate, bootstrap, ratio};
pub use group_audit::{AuditedGroup, GroupAudit};
pub use market::Defences;

use market::{check_kind, trade};
use pool::Pool;

use crate::{draw::Draw, error::AttributionError, retraining::Task};

/// The size of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuiteConfig {
    /// Markets, each with its own rows, owners, questions and training.
    pub seeds: u64,
    /// Rows on offer.
    pub rows: usize,
    /// Owners they are dealt to.
    pub owners: usize,
    /// Answers that are paid for.
    pub questions: usize,
}

impl Default for SuiteConfig {
    fn default() -> Self {
        Self { seeds: 20, rows: 400, owners: 10, questions: 100 }
    }
}

/// How an attack went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttackOutcome {
    /// The attack.
    pub attack: Attack,
    /// Income with it over income without it.
    pub gain: Estimate,
    /// The mean part of all rows that were taken for copies.
    pub copies: f64,
}

impl AttackOutcome {
    /// Whether the gain is within what is promised: its estimate, not the end of its interval.
    pub fn holds(&self) -> bool {
        self.attack.limit().is_none_or(|limit| self.gain.value <= limit)
    }
}

/// Plays every attack of a list in every market. `step` is told after each market how many are done.
pub fn play(
    task: &Task,
    attacks: &[Attack],
    defences: &Defences,
    config: SuiteConfig,
    mut step: impl FnMut(u64),
) -> Result<Vec<AttackOutcome>, AttributionError> {
    check_kind(task.kind)?;
    if config.seeds == 0 || attacks.is_empty() {
        return Err(AttributionError::Invalid("a run takes at least one seed and one attack".into()));
    }
    let mut incomes: Vec<Vec<(f64, f64)>> = vec![vec![]; attacks.len()];
    let mut copies = vec![0.0; attacks.len()];
    for seed in 0..config.seeds {
        let mut draw = Draw::new(seed);
        let pool = Pool::deal(task, config.rows, config.questions, config.owners, &mut draw)?;
        let honest = trade(&pool, task, defences, seed)?;
        for (i, attack) in attacks.iter().enumerate() {
            let mounted = attack.mount(&pool, &honest.rows, task.classes, &mut draw.clone());
            let income = trade(&mounted, task, defences, seed)?;
            incomes[i].push((income.attacker, honest.attacker));
            copies[i] += income.copies as f64 / mounted.rows.len() as f64 / config.seeds as f64;
        }
        step(seed + 1);
    }
    Ok(attacks
        .iter()
        .zip(incomes.iter().zip(copies))
        .map(|(&attack, (pairs, copies))| AttackOutcome { attack, gain: bootstrap(pairs, 0, ratio), copies })
        .collect())
}

/// Audits one honest market: what each owner was paid beside what the answers lose without them.
pub fn audit_groups(
    task: &Task,
    defences: &Defences,
    config: SuiteConfig,
    seed: u64,
) -> Result<GroupAudit, AttributionError> {
    check_kind(task.kind)?;
    let mut draw = Draw::new(seed);
    let pool = Pool::deal(task, config.rows, config.questions, config.owners, &mut draw)?;
    let paid = trade(&pool, task, defences, seed)?.owners;
    group_audit::audit(&pool, task, defences, &paid, config.seeds)
}
