//! Rows of many owners, one of whom may cheat.

use crate::{
    draw::Draw,
    error::AttributionError,
    retraining::{Array, Task},
};

/// A row on offer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PoolRow {
    pub(crate) values: Vec<f32>,
    pub(crate) label: usize,
    /// Owners count from zero; accounts that the attacker makes up are zero too.
    pub(crate) owner: usize,
    /// When it was committed.
    pub(crate) priority: u64,
}

/// Who the attacker is.
pub(crate) const ATTACKER: usize = 0;

/// All rows on offer, and the questions that are paid for.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) rows: Vec<PoolRow>,
    pub(crate) questions: Vec<Vec<f32>>,
    /// What vectors are seen from when they are compared: the honest rows' mean.
    pub(crate) centre: Vec<f32>,
    pub(crate) owners: usize,
}

impl Pool {
    /// Draws rows and questions of a task, and deals the rows to owners. Each owner has mostly rows of a
    /// few classes, as contributors have subjects.
    pub(crate) fn deal(
        task: &Task,
        rows: usize,
        questions: usize,
        owners: usize,
        draw: &mut Draw,
    ) -> Result<Self, AttributionError> {
        let (train, tests, inputs) = task.sizes();
        if owners < 2 || rows < 2 * owners || rows > train || questions == 0 || questions > tests {
            return Err(AttributionError::Invalid(format!(
                "{rows} rows of {train} for {owners} owners, {questions} questions of {tests}"
            )));
        }
        let of = |array: &Array<f32>, row: usize| array.values[row * inputs..(row + 1) * inputs].to_vec();
        let mut dealt: Vec<usize> = draw.sample(train, rows);
        // A noisy order by class: neighbours are alike, and so an owner's rows are.
        let turn = draw.below(task.classes);
        let mut keyed: Vec<(f64, usize)> = dealt
            .drain(..)
            .map(|row| {
                let class = (task.train_labels[row] + turn) % task.classes;
                (class as f64 + 4.0 * draw.unit(), row)
            })
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut priorities: Vec<u64> = (0..rows as u64).collect();
        draw.shuffle(&mut priorities);
        let first = draw.below(owners);
        let rows: Vec<PoolRow> = keyed
            .iter()
            .enumerate()
            .map(|(at, &(_, row))| PoolRow {
                values: of(&task.train, row),
                label: task.train_labels[row],
                owner: (at * owners / keyed.len() + first) % owners,
                priority: priorities[at],
            })
            .collect();
        let questions = draw.sample(tests, questions).into_iter().map(|row| of(&task.test, row)).collect();
        let mut centre = vec![0.0f32; inputs];
        for row in &rows {
            centre.iter_mut().zip(&row.values).for_each(|(sum, v)| *sum += v / rows.len() as f32);
        }
        Ok(Self { rows, questions, centre, owners })
    }

    /// The attacker's rows.
    pub(crate) fn own(&self) -> Vec<PoolRow> {
        self.rows.iter().filter(|row| row.owner == ATTACKER).cloned().collect()
    }

    /// Adds rows of the attacker, committed after all there are.
    pub(crate) fn add(&mut self, rows: impl IntoIterator<Item = (Vec<f32>, usize)>) {
        let next = self.rows.iter().map(|row| row.priority + 1).max().unwrap_or(0);
        let added = rows.into_iter().zip(next..);
        self.rows.extend(added.map(|((values, label), priority)| PoolRow {
            values,
            label,
            owner: ATTACKER,
            priority,
        }));
    }
}
