//! Which rows a training takes: for the service, and for whoever runs it again.

use crate::{AttributorError, dataset::DatasetRow};
use openledger_attribution::Clusters;
use openledger_model::{ModelConfig, ModelError, Sequence, Tokenizer};
use std::collections::BTreeMap;

/// Of the canonical rows of a Datanet, one in so many is kept out of training.
const HELD_OUT_EVERY: usize = 16;

/// Rows by what becomes of them.
#[derive(Debug)]
pub(crate) struct ChosenRows<'a> {
    /// One a cluster, in the order of their commitments: these are trained on and earn.
    pub(crate) used: Vec<&'a DatasetRow>,
    pub(crate) used_sequences: Vec<Sequence>,
    /// Kept out, to show what was learned.
    pub(crate) held_out: Vec<&'a DatasetRow>,
    pub(crate) held_out_sequences: Vec<Sequence>,
    /// Left out as near-duplicates.
    pub(crate) duplicates: usize,
    /// Left out because the model cannot take them: longer than its context, or without a token.
    pub(crate) misfits: usize,
}

impl<'a> ChosenRows<'a> {
    /// `rows` are in the order of their commitments, and `clusters` theirs. A row that the model cannot take earns nothing and holds nobody
    /// else up.
    pub(crate) fn of(
        rows: &'a [DatasetRow],
        clusters: &Clusters,
        tokenizer: &Tokenizer,
        model: &ModelConfig,
    ) -> Result<Self, AttributorError> {
        let canonical = clusters.canonical();
        let mut chosen = Self {
            used: Vec::new(),
            used_sequences: Vec::new(),
            held_out: Vec::new(),
            held_out_sequences: Vec::new(),
            duplicates: rows.len() - canonical.len(),
            misfits: 0,
        };
        let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
        for row in canonical.iter().map(|&at| &rows[at]) {
            let sequence = match tokenizer.row(&row.text) {
                Ok(sequence) if sequence.tokens().len() <= model.context_tokens => sequence,
                Ok(_) | Err(ModelError::Invalid(_)) => {
                    chosen.misfits += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let count = seen.entry(row.datanet).or_default();
            *count += 1;
            if count.is_multiple_of(HELD_OUT_EVERY) {
                chosen.held_out.push(row);
                chosen.held_out_sequences.push(sequence);
            } else {
                chosen.used.push(row);
                chosen.used_sequences.push(sequence);
            }
        }
        if chosen.used.is_empty() {
            return Err(AttributorError::Invalid(format!(
                "of {} rows none can be trained on: {} do not fit the model's context or are empty",
                rows.len(),
                chosen.misfits
            )));
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dataset::clusters, records::RowRef};
    use openledger_model::{BaseModel, Device};

    fn rows(texts: impl IntoIterator<Item = String>) -> Vec<DatasetRow> {
        let row = |(i, text)| DatasetRow {
            place: RowRef { contribution: 1, row: i },
            datanet: u64::from(i % 2),
            priority: 1,
            text,
        };
        (0..).zip(texts).map(row).collect()
    }

    fn toy() -> (BaseModel, Tokenizer) {
        BaseModel::load(&crate::stub::toy_model(), Device::Cpu).unwrap()
    }

    /// Texts that share no words.
    fn text(i: usize) -> String {
        (0..8)
            .map(|word| format!("{}{}", (b'a' + (i % 26) as u8) as char, i * 8 + word))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn one_row_in_sixteen_of_each_datanet_is_held_out() {
        let rows = rows((0..80).map(text));
        let (model, tokenizer) = toy();
        let chosen = ChosenRows::of(&rows, &clusters(&rows).unwrap(), &tokenizer, model.config()).unwrap();
        assert_eq!((chosen.used.len(), chosen.held_out.len()), (76, 4));
        assert_eq!(chosen.held_out.iter().filter(|row| row.datanet == 0).count(), 2);
        assert_eq!((chosen.duplicates, chosen.misfits), (0, 0));
    }

    #[test]
    fn row_longer_than_the_context_earns_nothing_and_holds_nobody_up() {
        let (model, tokenizer) = toy();
        let long = (0..model.config().context_tokens).map(|i| i.to_string()).collect::<Vec<_>>().join(" ");
        let rows = rows([text(0), long, text(1), String::new(), text(2)]);
        let chosen = ChosenRows::of(&rows, &clusters(&rows).unwrap(), &tokenizer, model.config()).unwrap();
        let places: Vec<u32> = chosen.used.iter().map(|row| row.place.row).collect();
        assert_eq!((places, chosen.misfits), (vec![0, 2, 4], 2));
        assert_eq!(chosen.used_sequences.len(), 3);
        let misfit = &rows[1..2];
        let none = ChosenRows::of(misfit, &clusters(misfit).unwrap(), &tokenizer, model.config());
        let none = none.unwrap_err().to_string();
        assert!(none.contains("of 1 rows none") && none.contains("context"), "{none}");
    }
}
