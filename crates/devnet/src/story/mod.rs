//! What is played on a devnet: Datanets and their texts, models, questions, and who is paid for the answers.

mod attributor;
mod court;
mod payments;
mod play;
mod player;
mod pledge;
mod report;
mod verify;

pub use court::{CourtPlan, DisputePlan, Receipt};
pub use report::{
    AccruedReport, BatchReport, CourtReport, CreditReport, DatanetReport, DispatchReport, DisputeReport,
    HeldOutReport, MadeWholeReport, ModelReport, ReceiptReport, Report, VerifierReport, WithdrawalReport,
};

use std::{collections::BTreeSet, fs, path::Path};

use openledger_abi::licence;
use serde::Deserialize;

use crate::{Account, DevnetError};

const ONE_OPEN: u128 = 1_000_000_000_000_000_000;
const MAX_FILE_BYTES: u64 = 64 << 20;

/// A story, as its JSON or TOML file has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// The Datanets, in the order of their numbers.
    pub datanets: Vec<DatanetPlan>,
    /// Who contributes what, in the order of their commitments.
    pub contributions: Vec<ContributionPlan>,
    /// The models, in the order of their training.
    pub models: Vec<ModelPlan>,
    /// The paid questions, in order.
    pub questions: Vec<QuestionPlan>,
    /// What is disputed, and who judges it.
    #[serde(default)]
    pub court: Option<CourtPlan>,
    /// Who claims at the end.
    #[serde(default)]
    pub claims: Vec<ClaimPlan>,
}

/// A Datanet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatanetPlan {
    /// Its name in this file.
    pub name: String,
    /// The account that creates it.
    pub owner: String,
    /// Its domain on chain.
    pub domain: String,
    /// Where it is described.
    pub metadata_uri: String,
}

/// Rows of one account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContributionPlan {
    /// The account that owns them.
    pub account: String,
    /// The Datanet they are for.
    pub datanet: String,
    /// What may be done with them.
    pub licence: Vec<Permission>,
    /// The texts.
    pub rows: Vec<String>,
}

/// A use that a licence permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Train a model.
    Train,
    /// Serve answers of a model for a fee.
    Serve,
    /// Sell the rows on.
    Resell,
    /// Publish derived works.
    Derive,
}

/// A model to train.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPlan {
    /// Its name.
    pub name: String,
    /// What it is trained on.
    pub datanets: Vec<String>,
    /// The trainer's knobs, as the attributor takes them.
    #[serde(default)]
    pub training: serde_json::Map<String, serde_json::Value>,
}

/// A paid question.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionPlan {
    /// Who pays.
    pub payer: String,
    /// The model asked.
    pub model: String,
    /// The Datanet that the question is about, if any.
    #[serde(default)]
    pub about: Option<String>,
    /// The question.
    pub text: String,
}

/// A claim at the end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimPlan {
    /// Who claims.
    pub account: String,
    /// Whether what was claimed starts a withdrawal to L1.
    #[serde(default)]
    pub withdraw_to_l1: bool,
}

impl ContributionPlan {
    /// The licence's bits.
    pub fn licence_bits(&self) -> u16 {
        self.licence.iter().fold(0, |bits, permission| {
            bits | match permission {
                Permission::Train => licence::TRAIN,
                Permission::Serve => licence::SERVE,
                Permission::Resell => licence::RESELL,
                Permission::Derive => licence::DERIVE,
            }
        })
    }
}

impl Story {
    /// Reads a story; `.toml` is TOML, anything else JSON.
    pub fn from_path(path: &Path) -> Result<Self, DevnetError> {
        let invalid = |reason: String| DevnetError::Story(format!("{}: {reason}", path.display()));
        let length = fs::metadata(path).map_err(DevnetError::io(path))?.len();
        if length > MAX_FILE_BYTES {
            return Err(invalid(format!("{length} bytes exceed {MAX_FILE_BYTES}")));
        }
        let text = fs::read_to_string(path).map_err(DevnetError::io(path))?;
        let story: Self = if path.extension().is_some_and(|extension| extension == "toml") {
            toml::from_str(&text).map_err(|error| invalid(error.to_string()))?
        } else {
            serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?
        };
        story.validate().map_err(|errors| invalid(errors.join("; ")))?;
        Ok(story)
    }

    /// Reads a story from JSON.
    pub fn from_json(text: &str) -> Result<Self, DevnetError> {
        let story: Self =
            serde_json::from_str(text).map_err(|error| DevnetError::Story(error.to_string()))?;
        story.validate().map_err(|errors| DevnetError::Story(errors.join("; ")))?;
        Ok(story)
    }

    /// Every account that plays, with its key.
    pub fn accounts(&self) -> Result<Vec<Account>, DevnetError> {
        (0..).zip(self.account_names()).map(|(position, name)| Account::story(name, position)).collect()
    }

    /// Names in the order of their first appearance, and one for the reader's own trials.
    fn account_names(&self) -> Vec<&str> {
        let owners = self.datanets.iter().map(|datanet| datanet.owner.as_str());
        let contributors = self.contributions.iter().map(|contribution| contribution.account.as_str());
        let payers = self.questions.iter().map(|question| question.payer.as_str());
        let court = self.court.iter().flat_map(|court| {
            let judges = court.first.iter().chain(&court.appeal);
            judges.chain(court.disputes.iter().flat_map(|dispute| [&dispute.payer, &dispute.challenger]))
        });
        let claimants = self.claims.iter().map(|claim| claim.account.as_str());
        let mut seen = BTreeSet::new();
        owners
            .chain(contributors)
            .chain(payers)
            .chain(claimants)
            .chain(court.map(String::as_str))
            .chain(["client"])
            .filter(|name| seen.insert(*name))
            .collect()
    }

    /// All that is wrong, at once.
    fn validate(&self) -> Result<(), Vec<String>> {
        let mut errors = Vec::new();
        let datanets: BTreeSet<&str> = self.datanets.iter().map(|datanet| datanet.name.as_str()).collect();
        let models: BTreeSet<&str> = self.models.iter().map(|model| model.name.as_str()).collect();
        if datanets.len() != self.datanets.len() || datanets.is_empty() {
            errors.push("there must be Datanets, each with a name of its own".to_owned());
        }
        if models.len() != self.models.len() {
            errors.push("two models have one name".to_owned());
        }
        let known = |datanet: &str, by: &str, errors: &mut Vec<String>| {
            if !datanets.contains(datanet) {
                errors.push(format!("{by} names the unknown Datanet {datanet}"));
            }
        };
        for contribution in &self.contributions {
            known(&contribution.datanet, &format!("{}'s contribution", contribution.account), &mut errors);
        }
        for model in &self.models {
            for datanet in &model.datanets {
                known(datanet, &format!("model {}", model.name), &mut errors);
            }
        }
        for question in &self.questions {
            if let Some(datanet) = &question.about {
                known(datanet, "a question", &mut errors);
            }
            if !models.contains(question.model.as_str()) {
                errors.push(format!("a question names the unknown model {}", question.model));
            }
        }
        for contribution in &self.contributions {
            if contribution.rows.is_empty() || contribution.rows.iter().any(String::is_empty) {
                errors.push(format!("{}'s contribution has no rows, or an empty one", contribution.account));
            }
        }
        for dispute in self.court.iter().flat_map(|court| &court.disputes) {
            if !models.contains(dispute.model.as_str()) {
                errors.push(format!("a dispute names the unknown model {}", dispute.model));
            }
        }
        if self.court.as_ref().is_some_and(|court| court.appeal.len() <= court.first.len()) {
            errors.push("more judges must hear appeals than judge first".to_owned());
        }
        if self.models.iter().any(|model| model.datanets.is_empty()) {
            errors.push("a model has no Datanet".to_owned());
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BUILT_IN: &str = include_str!("../../../../testdata/story/two_datanets.json");

    #[test]
    fn built_in_story_has_what_it_promises() {
        let story = Story::from_json(BUILT_IN).unwrap();
        assert_eq!((story.datanets.len(), story.questions.len()), (2, 6));
        assert!(story.contributions.len() >= 5);
        assert!(story.contributions.iter().all(|contribution| contribution.rows.len() >= 64));
        assert_eq!(story.contributions[0].licence_bits(), licence::TRAIN | licence::SERVE);
        let accounts = story.accounts().unwrap();
        assert_eq!(accounts.last().unwrap().name, "client");
        let distinct: BTreeSet<_> = accounts.iter().map(Account::address).collect();
        assert_eq!(distinct.len(), accounts.len());
    }

    #[test]
    fn everything_wrong_with_a_story_is_said_at_once() {
        let mut story = Story::from_json(BUILT_IN).unwrap();
        story.contributions[0].datanet = "nowhere".into();
        story.questions[0].model = "nobody".into();
        story.contributions[1].rows.clear();
        let errors = story.validate().unwrap_err();
        assert_eq!(errors.len(), 3, "{errors:?}");
    }

    #[test]
    fn unknown_fields_are_refused() {
        let refused = Story::from_json(r#"{"datanets": [], "contribution": []}"#).unwrap_err().to_string();
        assert!(refused.contains("contribution"), "{refused}");
    }
}
