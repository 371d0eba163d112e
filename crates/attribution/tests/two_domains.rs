//! Real text, the real model: the subject that a question is about earns more than the other.
#![allow(clippy::unwrap_used)]

use std::{ops::ControlFlow, path::PathBuf};

use openledger_attribution::{
    ClusterConfig, ClusterRow, Clusters, GradientStore, InfluenceConfig, Scorer, Scores, ShareConfig,
    attribute, gradients,
};
use openledger_model::{BaseModel, Device, PrefixCache, Sequence, TrainConfig, train};
use serde_json::Value;

const CIVICS: &str = "state-of-the-union";

fn story() -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/story/two_datanets.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Texts, whether each is about civics, and who brought it.
fn rows(story: &Value) -> Vec<(&str, bool, &str)> {
    let contributions = story["contributions"].as_array().unwrap().iter();
    let rows = contributions.flat_map(|c| {
        let (civics, account) = (c["datanet"] == CIVICS, c["account"].as_str().unwrap());
        let texts = c["rows"].as_array().unwrap().iter();
        texts.map(move |text| (text.as_str().unwrap(), civics, account))
    });
    rows.collect()
}

fn cluster(rows: &[(&str, bool, &str)]) -> Clusters {
    let rows = rows.iter().enumerate();
    let rows: Vec<ClusterRow<'_>> =
        rows.map(|(i, row)| ClusterRow { text: row.0, priority: (i as u64, 0) }).collect();
    Clusters::find(&rows, ClusterConfig::default(), &[]).unwrap()
}

#[test]
fn every_edited_copy_of_the_story_is_found_and_nothing_else_is_taken_for_one() {
    let story = story();
    let rows = rows(&story);
    let clusters = cluster(&rows);
    // Cleo copies each of Ada's rows with small edits; all other rows are originals.
    let originals: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].2 != "cleo").collect();
    assert_eq!(clusters.canonical(), originals);
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| row.2 == "cleo") {
        let original = clusters.canonical()[clusters.cluster_of()[i]];
        assert_eq!(rows[original].2, "ada", "{}", row.0);
    }
}

/// Half of the story's rows, to keep it to a minute or two.
#[test]
#[ignore = "trains and scores the real model for a minute or two"]
fn subject_of_the_question_earns_more_for_at_least_five_of_six() {
    let story = story();
    let rows = rows(&story);
    let canonical: Vec<usize> = cluster(&rows).canonical().iter().copied().step_by(2).collect();
    let gguf = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../.cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    let (model, tokenizer) = BaseModel::load(&gguf, Device::Cpu).unwrap();
    let sequences: Vec<Sequence> = canonical.iter().map(|&i| tokenizer.row(rows[i].0).unwrap()).collect();
    let held_out: Vec<Sequence> =
        (1..canonical.len()).step_by(16).map(|i| tokenizer.row(rows[canonical[i] + 1].0).unwrap()).collect();

    let config = TrainConfig::default();
    let mut cache = PrefixCache::new(config.lora.first_layer(model.config()), 64 << 20);
    let going_on = |_: &openledger_model::Progress| ControlFlow::Continue(());
    let trained = train(&model, &mut cache, &sequences, &held_out, &config, going_on).unwrap();
    assert!(trained.held_out_after.unwrap() < trained.held_out_before.unwrap() - 0.2);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.gradients");
    let adapter = trained.adapter;
    let store =
        GradientStore::build(&path, &model, &adapter, &mut cache, &sequences, |_| ControlFlow::Continue(()))
            .unwrap();
    let scorer = Scorer::new(store, InfluenceConfig::default()).unwrap();
    let mut right = 0;
    for question in story["questions"].as_array().unwrap() {
        let prompt = tokenizer.chat_prompt(question["text"].as_str().unwrap()).unwrap();
        let answer = model.generate(&tokenizer, Some(&adapter), &prompt, 48).unwrap();
        let answer = tokenizer.answer(&prompt, &answer.tokens).unwrap();
        let gradient = gradients(&model, &adapter, &mut cache, &[&answer]).unwrap();
        let scores = Scores::new(&scorer.scores(&gradient).unwrap()).unwrap();
        let shares = attribute(&scores, ShareConfig::default()).unwrap().shares;
        let of = |civics: bool| -> u32 {
            shares.iter().filter(|s| rows[canonical[s.cluster]].1 == civics).map(|s| s.ppm).sum()
        };
        let asked = question["about"] == CIVICS;
        println!("{}: own {} ppm, other {} ppm", question["text"], of(asked), of(!asked));
        right += usize::from(of(asked) > of(!asked));
    }
    assert!(right >= 5, "{right} of 6");
}
