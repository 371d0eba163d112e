//! What becomes of trainings that are ended, on a real model's thread.

use super::{ChosenRows, make, remove_stray_folders, run};
use crate::{
    AttributorError, TrainingRecord, TrainingRequest, TrainingState,
    dataset::{DatasetRow, clusters},
    lab::{ADAPTER_FILE, GRADIENTS_FILE, Lab},
    records::RowRef,
    stub,
};
use openledger_model::Device;
use std::{ops::ControlFlow, sync::Arc};

fn order(name: &str, datanet: u64) -> TrainingRequest {
    TrainingRequest { name: name.into(), datanets: vec![datanet], training: stub::toy_settings() }
}

#[tokio::test]
async fn training_that_was_cancelled_while_it_was_registered_leaves_the_next_order_alone() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::start(stub::toy_model(), Device::Cpu, 1, folder.path().join("models")).await.unwrap();
    let trained = stub::train(&lab, "a", &stub::toy_rows(24)).await;
    let shared = stub::service_with(folder.path(), stub::no_chain(), lab);
    let next = TrainingRecord { request: order("a", 2), state: TrainingState::Queued, trained: None };
    shared.journal.put_training(&next).unwrap();
    let old = TrainingRecord { request: order("a", 1), state: TrainingState::Queued, trained: Some(trained) };
    assert!(matches!(run(Arc::clone(&shared), old).await, Err(AttributorError::Cancelled)));
    assert_eq!(shared.journal.training("a").unwrap(), Some(next));
}

#[tokio::test]
async fn training_that_is_cancelled_while_gradients_are_taken_ends_before_there_is_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::start(stub::toy_model(), Device::Cpu, 1, folder.path().to_owned()).await.unwrap();
    let row = |(row, text): (u32, openledger_content_store::Row)| DatasetRow {
        place: RowRef { contribution: 1, row },
        datanet: 1,
        priority: 1,
        text: text.text,
    };
    let rows: Vec<DatasetRow> = (0..).zip(stub::toy_rows(80)).map(row).collect();
    let made = lab.run(move |bench| {
        let clusters = clusters(&rows)?;
        let chosen = ChosenRows::of(&rows, &clusters, &bench.base.tokenizer, bench.base.model.config())?;
        let mut looks = 0;
        let made = make::make(bench, "a", &stub::toy_settings(), vec![], chosen, &mut |state| match state {
            TrainingState::Scoring { .. } => {
                looks += 1;
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        });
        assert!(matches!(made, Err(AttributorError::Cancelled)));
        Ok(looks)
    });
    assert_eq!(made.await.unwrap(), 1, "it goes no further");
    for file in [ADAPTER_FILE, GRADIENTS_FILE] {
        assert!(!folder.path().join("a").join(file).exists(), "{file}");
    }
}

#[tokio::test]
async fn files_of_trainings_that_came_to_nothing_are_removed_at_the_start_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let shared = stub::service(folder.path(), stub::no_chain());
    remove_stray_folders(&shared).unwrap();
    let failed = || TrainingState::Failed { reason: "cancelled".into() };
    for (name, state) in
        [("ready", TrainingState::Ready), ("open", TrainingState::Queued), ("failed", failed())]
    {
        let record = TrainingRecord { request: order(name, 1), state, trained: None };
        shared.journal.put_training(&record).unwrap();
    }
    for name in ["ready", "open", "failed", "unknown"] {
        std::fs::create_dir_all(shared.models.join(name).join("checkpoints")).unwrap();
    }
    remove_stray_folders(&shared).unwrap();
    for (name, kept) in [("ready", true), ("open", true), ("failed", false), ("unknown", false)] {
        assert_eq!(shared.models.join(name).exists(), kept, "{name}");
    }
}
