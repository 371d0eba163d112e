//! The records beside the layout that Solidity's compiler gives the reference contracts: it fails when either changes.

use crate::attribution::layout as attribution;
use crate::datanets::layout as datanets;
use crate::frame::Record;
use crate::payouts::layout as payouts;
use alloy_primitives::U256;
use serde_json::Value;
use std::collections::BTreeSet;

/// A contract's layout, and which members of its structs have been compared.
struct Layout {
    contract: Value,
    seen: BTreeSet<(String, String)>,
}

/// Names are Rust's here and Solidity's there; these differ in more than their style.
const RENAMED: [(&str, &str); 6] = [
    ("block", "committedBlock"),
    ("adapter", "adapterHash"),
    ("training", "trainingHash"),
    ("answer", "answerHash"),
    ("scores", "scoreRoot"),
    ("contributors", "contributorsWei"),
];

fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

impl Layout {
    fn of(contract: &str) -> Self {
        let all: Value =
            serde_json::from_str(include_str!("../../contracts/artifacts/layouts.json")).unwrap();
        assert!(all[contract].is_object(), "no layout of {contract}");
        Self { contract: all[contract].clone(), seen: BTreeSet::new() }
    }

    /// That a record is the part of `members` that begins at slot `first`.
    fn compare<R: Record>(&mut self, name: &str, members: &Value, first: usize) {
        let members = members.as_array().unwrap();
        let from = members.iter().position(|member| number(&member["slot"]) == first).unwrap();
        for ((field, slot, byte, bytes), member) in R::fields().into_iter().zip(members.iter().skip(from)) {
            let label = member["label"].as_str().unwrap();
            let renamed = RENAMED.contains(&(field, label));
            assert!(renamed || plain(field) == plain(label), "{name}: {field} is {label} in Solidity");
            let place =
                (number(&member["slot"]) - first, number(&member["offset"]), number(&member["bytes"]));
            assert_eq!((slot, byte, bytes), place, "{name}.{label}");
            self.seen.insert((name.to_owned(), label.to_owned()));
        }
        assert!(members.len() - from >= R::fields().len(), "{name} has fewer members than the record");
    }

    fn record<R: Record>(&mut self, name: &str, first: usize) {
        let members = self.contract["structs"][name].clone();
        assert!(members.is_array(), "Solidity has no struct {name}");
        self.compare::<R>(name, &members, first);
    }

    fn variables<R: Record>(&mut self, first: usize) {
        let variables = self.contract["variables"].clone();
        self.compare::<R>("", &variables, first);
    }

    /// That a variable, or a member of a struct, is at the slot that the code has for it.
    fn at(&mut self, name: &str, label: &str, slot: U256) {
        let members =
            if name.is_empty() { &self.contract["variables"] } else { &self.contract["structs"][name] };
        let member = members.as_array().unwrap().iter().find(|member| member["label"] == label);
        let member = member.unwrap_or_else(|| panic!("{name}.{label}"));
        assert_eq!(
            (U256::from(number(&member["slot"])), number(&member["offset"])),
            (slot, 0),
            "{name}.{label}"
        );
        self.seen.insert((name.to_owned(), label.to_owned()));
    }

    /// That nothing of Solidity's was left out.
    fn whole(&self) {
        let mut all = BTreeSet::new();
        let structs = self.contract["structs"].as_object().unwrap();
        let variables = ("", &self.contract["variables"]);
        let structs = structs.iter().map(|(name, members)| (name.as_str(), members));
        for (name, members) in structs.chain([variables]) {
            for member in members.as_array().unwrap() {
                all.insert((name.to_owned(), member["label"].as_str().unwrap().to_owned()));
            }
        }
        let left: Vec<_> = all.difference(&self.seen).collect();
        assert!(left.is_empty(), "not compared: {left:?}");
    }
}

#[test]
fn records_of_datanets_are_where_solidity_has_them() {
    use datanets::*;
    let mut layout = Layout::of("ReferenceDatanets");
    layout.variables::<Globals>(0);
    layout.record::<DatanetHead>("StoredDatanet", 0);
    layout.record::<DatanetTitle>("StoredDatanet", 0);
    layout.at("StoredDatanet", "schemaHash", SCHEMA_HASH);
    layout.at("StoredDatanet", "domain", DOMAIN);
    layout.at("StoredDatanet", "metadataURI", METADATA_URI);
    layout.record::<ContributionRecord>("StoredContribution", 0);
    layout.record::<ContributionTitle>("StoredContribution", 0);
    layout.record::<ContributionStanding>("StoredContribution", CONTRIBUTION_STANDING.to());
    layout.at("StoredContribution", "root", CONTRIBUTION_ROOT);
    layout.record::<CommitmentRecord>("StoredCommitment", 0);
    layout.record::<VersionRecord>("StoredVersion", 0);
    layout.record::<VersionSize>("StoredVersion", VERSION_SIZE.to());
    layout.record::<Earner>("StoredEarner", 0);
    layout.record::<OwnerSetHead>("OwnerSet", 0);
    layout.at("OwnerSet", "others", U256::ONE);
    layout.record::<CoOwner>("CoOwner", 0);
    layout.record::<ChallengeRecord>("StoredChallenge", 0);
    layout.record::<ClusterRecord>("StoredCluster", 0);
    layout.record::<CopyRecord>("Copy", 0);
    layout.record::<GrantRecord>("StoredGrant", 0);
    for (label, slot) in [
        ("_datanetOf", DATANETS_SLOT),
        ("_isCurator", CURATORS_SLOT),
        ("_contributionOf", CONTRIBUTIONS_SLOT),
        ("_commitmentOf", COMMITMENTS_SLOT),
        ("_versionOf", VERSIONS_SLOT),
        ("_datanetBalanceOf", DATANET_BALANCES_SLOT),
        ("_contributionBalanceOf", CONTRIBUTION_BALANCES_SLOT),
        ("_earnerOf", EARNERS_SLOT),
        ("_ownerSets", OWNER_SETS_SLOT),
        ("_isModerator", MODERATORS_SLOT),
        ("_challengeOf", CHALLENGES_SLOT),
        ("_clusters", CLUSTER_COUNT_SLOT),
        ("_clusterOf", CLUSTERS_SLOT),
        ("_copies", COPIES_SLOT),
        ("_copyOf", COPY_OF_SLOT),
        ("_grantOf", GRANTS_SLOT),
        ("_grantModels", GRANT_MODELS_SLOT),
        ("_ancestors", ANCESTORS_SLOT),
        ("_specials", SPECIALS_SLOT),
        ("_withdrawals", WITHDRAWALS_SLOT),
    ] {
        layout.at("", label, slot);
    }
    layout.whole();
}

#[test]
fn records_of_attribution_are_where_solidity_has_them() {
    use attribution::*;
    let mut layout = Layout::of("ReferenceAttribution");
    layout.variables::<Globals>(0);
    layout.record::<ModelHead>("StoredModel", 0);
    layout.record::<ModelHashes>("StoredModel", HASHES.to());
    layout.record::<ModelPrice>("StoredModel", PRICE.to());
    layout.at("StoredModel", "metadataURI", METADATA_URI);
    layout.record::<ModelTraining>("StoredModel", TRAINING.to());
    layout.at("StoredModel", "parents", PARENTS);
    layout.record::<FaithfulnessRecord>("StoredModel", FAITHFULNESS.to());
    layout.record::<Bond>("StoredBond", 0);
    layout.record::<ReceiptHead>("StoredReceipt", 0);
    layout.record::<ReceiptHashes>("StoredReceipt", RECEIPT_HASHES.to());
    layout.record::<ReceiptWei>("StoredReceipt", RECEIPT_WEI.to());
    layout.record::<TailRecord>("StoredTail", 0);
    layout.record::<ChallengeRecord>("StoredChallenge", 0);
    for (label, slot) in [
        ("_modelOf", MODELS_SLOT),
        ("_isAttestor", ATTESTORS_SLOT),
        ("_bondOf", BONDS_SLOT),
        ("_locks", LOCKS_SLOT),
        ("_receiptOf", RECEIPTS_SLOT),
        ("_shares", SHARES_SLOT),
        ("_datasets", DATASETS_SLOT),
        ("_receiptsOfModel", RECEIPTS_OF_MODEL_SLOT),
        ("_tailOf", TAILS_SLOT),
        ("_challengeOf", CHALLENGES_SLOT),
    ] {
        layout.at("", label, slot);
    }
    layout.whole();
}

#[test]
fn records_of_payouts_are_where_solidity_has_them() {
    use payouts::*;
    let mut layout = Layout::of("ReferencePayouts");
    layout.variables::<Settings>(0);
    layout.record::<RequestRecord>("StoredRequest", 0);
    layout.at("StoredRequest", "promptHash", PROMPT_HASH);
    layout.record::<ChannelRecord>("StoredChannel", 0);
    layout.record::<StreamRecord>("StoredStream", 0);
    for (label, slot) in [
        ("_requestOf", REQUESTS_SLOT),
        ("_creditOf", CREDITS_SLOT),
        ("_tailClaims", TAIL_CLAIMS_SLOT),
        ("_nonces", NONCES_SLOT),
        ("_channelOf", CHANNELS_SLOT),
        ("_streamOf", STREAMS_SLOT),
    ] {
        layout.at("", label, slot);
    }
    layout.whole();
}
