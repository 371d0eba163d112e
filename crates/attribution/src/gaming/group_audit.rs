//! Group leave-one-out: what the answers lose without an owner's rows, beside what the owner was paid.

use super::{
    bootstrap::{Estimate, bootstrap},
    market::{Defences, Offer},
    pool::Pool,
};
use crate::{
    error::AttributionError,
    retraining::{Task, spearman, test_losses, train},
};

/// An owner beside the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AuditedGroup {
    /// Its part of what all were paid.
    pub paid: f64,
    /// Its part of what leaving each group out costs, negative costs counted as none.
    pub worth: f64,
    /// How much the answers' mean loss rises without it, with its interval over trainings.
    pub loss_rise: Estimate,
}

/// All owners of a pool, and how well pay follows worth.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupAudit {
    /// In the owners' order.
    pub groups: Vec<AuditedGroup>,
    /// Rank correlation of pay and loss rise.
    pub rank_correlation: f64,
}

/// Retrains without each owner in turn, with several seeds, and compares with `paid`.
pub(crate) fn audit(
    pool: &Pool,
    like: &Task,
    defences: &Defences,
    paid: &[f64],
    seeds: u64,
) -> Result<GroupAudit, AttributionError> {
    let mut offer = Offer::new(pool, like, defences)?;
    offer.train(0)?;
    let mean_loss = |rows: &[usize], seed: u64| -> Result<f64, AttributionError> {
        let losses = test_losses(&offer.task, &train(&offer.task, rows, seed)?)?.0;
        Ok(losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64)
    };
    let all: Vec<usize> = (0..offer.rows.len()).collect();
    let whole = (0..seeds).map(|seed| mean_loss(&all, seed)).collect::<Result<Vec<f64>, _>>()?;
    let mut rises = Vec::with_capacity(pool.owners);
    for owner in 0..pool.owners {
        let kept: Vec<usize> =
            all.iter().copied().filter(|&row| pool.rows[offer.rows[row]].owner != owner).collect();
        let mut rise = Vec::with_capacity(whole.len());
        for (seed, with) in (0..seeds).zip(&whole) {
            rise.push(mean_loss(&kept, seed)? - with);
        }
        rises.push(bootstrap(&rise, owner as u64, |drawn| drawn.iter().sum::<f64>() / drawn.len() as f64));
    }
    Ok(compare(paid, &rises))
}

fn compare(paid: &[f64], rises: &[Estimate]) -> GroupAudit {
    let whole_paid: f64 = paid.iter().sum();
    let whole_worth: f64 = rises.iter().map(|rise| rise.value.max(0.0)).sum();
    let part = |value: f64, whole: f64| if whole > 0.0 { value / whole } else { 0.0 };
    let groups = paid.iter().zip(rises).map(|(&paid, &loss_rise)| AuditedGroup {
        paid: part(paid, whole_paid),
        worth: part(loss_rise.value.max(0.0), whole_worth),
        loss_rise,
    });
    let truth: Vec<f64> = rises.iter().map(|rise| rise.value).collect();
    GroupAudit { groups: groups.collect(), rank_correlation: spearman(paid, &truth) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pay_that_follows_worth_agrees_with_it() {
        let rise = |value: f64| Estimate { value, low: value, high: value };
        let audit = compare(&[1.0, 3.0, 0.0], &[rise(0.2), rise(0.6), rise(-0.1)]);
        assert_eq!(audit.rank_correlation, 1.0);
        assert!((audit.groups[1].worth - 0.75).abs() < 1e-12);
        assert!((audit.groups[1].paid - 0.75).abs() < 1e-12);
        assert_eq!(audit.groups[2].worth, 0.0);
    }
}
