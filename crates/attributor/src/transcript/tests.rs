//! Segments of a training that the service itself made, taken again.

use super::*;
use crate::{lab::Lab, stub};
use openledger_model::Device;
use serde_json::Value;
use std::fs;

/// A service's lab with a trained model, and the model's case in a file.
async fn trained(folder: &Path) -> (Review, CaseSource, PathBuf) {
    let models = folder.join("models");
    let lab = Lab::start(stub::toy_model(), Device::Cpu, 1, models.clone()).await.unwrap();
    let rows = stub::toy_rows(40);
    let record = stub::train(&lab, "joint", &rows).await;
    let case = folder.join("case.json");
    fs::write(&case, serde_json::to_vec(&stub::case(&lab, "joint", &record, &rows).await).unwrap()).unwrap();
    let review = Review { model: stub::toy_model(), device: Device::Cpu, threads: 1, exact_rows: 1 };
    (review, CaseSource::File(case), models.join("joint"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_segment_of_a_training_comes_out_again_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (review, source, model) = trained(folder.path()).await;
    let transcript = Transcript::read(&model).unwrap();
    assert!(transcript.steps.len() >= 4, "{transcript:?}");
    let mut at = 0;
    for segment in 0..transcript.steps.len() - 1 {
        let report = replay_segment(&review, None, &source, None, &model, segment).await.unwrap();
        assert!(report.agrees() && report.same_bits && report.distance == 0.0, "{report:?}");
        assert_eq!((report.from_step, report.losses.len()), (at, report.to_step - at));
        at = report.to_step;
    }
    let beyond = replay_segment(&review, None, &source, None, &model, transcript.steps.len() - 1).await;
    assert!(beyond.unwrap_err().to_string().contains("--segment"), "there is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn training_with_another_seed_than_recorded_differs_and_a_changed_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (review, source, model) = trained(folder.path()).await;
    let path = model.join(FILE);
    let honest = fs::read(&path).unwrap();
    let mut lie: Value = serde_json::from_slice(&honest).unwrap();
    lie["hyperparameters"]["seed"] = 99.into();
    fs::write(&path, lie.to_string()).unwrap();
    let report = replay_segment(&review, None, &source, None, &model, 1).await.unwrap();
    assert!(!report.agrees() && report.distance > TOLERANCE, "{report:?}");

    fs::write(&path, &honest).unwrap();
    let steps = Transcript::read(&model).unwrap().steps;
    // A state of the same training, put where another belongs.
    fs::copy(file_of(&model, steps[2]), file_of(&model, steps[1])).unwrap();
    let refused = replay_segment(&review, None, &source, None, &model, 1).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("checkpoint of step {} is another", steps[1])), "{refused}");
}
