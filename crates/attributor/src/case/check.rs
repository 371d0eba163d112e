//! Binds what a case reveals to what the chain has committed to.

use super::{Case, ContributionFacts, Facts, VERSION};
use crate::{AttributorError, chain::Chain, training::method_hash};
use openledger_content_store::contribution_root;
use openledger_shares::{answer_hash, prompt_hash};

impl Case {
    /// Holds the case against the chain: its facts are the chain's, and what it reveals hashes to them.
    pub(crate) async fn check_against(&self, chain: &Chain) -> Result<(), AttributorError> {
        let request = self.facts.request_id;
        if Facts::read(chain, request).await? != self.facts {
            return Err(unfit("the chain says other things of this receipt"));
        }
        let contributions = ContributionFacts::read(chain, &self.trained_on).await?;
        if !contributions.iter().eq(self.contributions.iter().map(|held| &held.facts)) {
            return Err(unfit("these are not the contributions of the versions trained on"));
        }
        self.check()
    }

    /// Whether what the case reveals hashes to its own facts. Without a chain nobody vouches for those.
    pub(crate) fn check(&self) -> Result<(), AttributorError> {
        let facts = &self.facts;
        if self.version != VERSION {
            return Err(unfit("it is of another version of the format"));
        }
        if facts.method != method_hash() {
            return Err(unfit("the model's method is none that this program has"));
        }
        if facts.tail_ppm != 0 {
            return Err(unfit("the receipt has a long tail, which this program cannot re-run"));
        }
        if prompt_hash(self.prompt.salt, self.prompt.text.as_bytes()) != facts.prompt_hash {
            return Err(unfit("the prompt is not the one that was paid for"));
        }
        if self.answer_tokens.is_empty()
            || answer_hash(self.answer_salt, &self.answer_tokens) != facts.answer_hash
        {
            return Err(unfit("the answer is not the receipt's"));
        }
        // A version may have come between training and registration; an older one than the model's is still its own.
        let fits = self.trained_on.len() == facts.datasets.len()
            && self.trained_on.iter().zip(&facts.datasets).all(|(trained, registered)| {
                trained.datanet == registered.datanet && (1..=registered.version).contains(&trained.version)
            });
        if !fits {
            return Err(unfit("the versions trained on are not the model's"));
        }
        for held in &self.contributions {
            let whole = held.rows.len() == held.facts.rows as usize;
            if !whole || contribution_root(&held.rows)? != held.facts.root {
                let number = held.facts.contribution;
                return Err(unfit(&format!("the rows of contribution {number} are not what was revealed")));
            }
        }
        Ok(())
    }
}

fn unfit(reason: &str) -> AttributorError {
    AttributorError::Invalid(format!("the case does not hold: {reason}"))
}
