//! What the service publishes, from a real model's thread.

use crate::{
    AnswerRecord, AnswerState, AttributorError, TrainingRecord, TrainingRequest, TrainingState,
    answering::RecordedInputs, lab::Lab, service::Shared, stub,
};
use alloy_primitives::B256;
use openledger_abi::IPayouts;
use openledger_content_store::{Row, contribution_root};
use openledger_model::Device;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, time::sleep};

const REQUEST: B256 = B256::repeat_byte(7);

/// A service with a model of so many rows, and a settled answer of it.
async fn service(folder: &Path, rows: u32) -> Arc<Shared> {
    let lab = Lab::start(stub::toy_model(), Device::Cpu, 1, folder.join("models")).await.unwrap();
    let rows = stub::toy_rows(rows);
    let trained = stub::train(&lab, "joint", &rows).await;
    let case = stub::case(&lab, "joint", &trained, &rows).await;
    let shared = stub::service_with(folder, stub::no_chain(), lab);
    let request = TrainingRequest { name: "joint".into(), datanets: vec![1], training: stub::toy_settings() };
    let training = TrainingRecord { request, state: TrainingState::Ready, trained: Some(trained) };
    shared.journal.put_training(&training).unwrap();
    let keep = async |text: String| {
        let row = vec![Row { salt: B256::ZERO, text }];
        let root = contribution_root(&row).unwrap();
        shared.keep(root, row).await.unwrap();
        root
    };
    let escrow = IPayouts::Request {
        payer: Default::default(),
        model: 1,
        deadline: 100,
        createdAt: 0,
        status: IPayouts::Status::Settled,
        maxFee: Default::default(),
        promptHash: B256::ZERO,
    };
    let mut record = AnswerRecord::queued(REQUEST, &escrow, keep(case.prompt.text).await);
    let inputs = RecordedInputs { tokens: case.answer_tokens, settings: case.settings };
    record.inputs_root = Some(keep(serde_json::to_string(&inputs).unwrap()).await);
    record.state = AnswerState::Settled { block: 1, transaction: B256::ZERO };
    shared.journal.put_answer(&record).unwrap();
    shared
}

/// Holds the model's thread until it is released.
fn hold(shared: &Shared) -> std::sync::mpsc::Sender<()> {
    let (release, held) = std::sync::mpsc::channel();
    let lab = shared.lab.clone();
    tokio::spawn(async move {
        lab.ask(move |_, _| {
            let _ = held.recv();
            Ok(())
        })
        .await
    });
    release
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_cause_one_pass_over_the_gradients_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path(), 24).await;
    let release = hold(&shared);
    for _ in 0..3 {
        let mut asked = Box::pin(shared.previews.sketch(&shared, REQUEST));
        // Until it waits for the model's thread, or is refused.
        let _ = tokio::time::timeout(Duration::from_millis(50), &mut asked).await;
    }
    assert!(shared.lab.waiting() <= 2, "{} wait", shared.lab.waiting());
    let other = shared.previews.weights(&shared, "joint").await.map(drop);
    assert!(matches!(other, Err(AttributorError::Busy(_))), "{other:?}");
    release.send(()).unwrap();
    let sketch = loop {
        match shared.previews.sketch(&shared, REQUEST).await {
            Err(AttributorError::Busy(_)) => sleep(Duration::from_millis(5)).await,
            sketch => break sketch.unwrap(),
        }
    };
    let trained = shared.journal.training("joint").unwrap().unwrap().trained.unwrap();
    assert_eq!(sketch.sketch.rows, trained.rows.len());
    // From now on it is read, and the model's thread is not asked.
    let _held = hold(&shared);
    assert_eq!(shared.previews.sketch(&shared, REQUEST).await.unwrap(), sketch);
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_are_taken_once_and_a_damaged_sketch_is_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path(), 24).await;
    let read = async || {
        let mut bytes = Vec::new();
        let mut file = shared.previews.weights(&shared, "joint").await.unwrap();
        file.read_to_end(&mut bytes).await.unwrap();
        bytes
    };
    let weights = read().await;
    assert!(!weights.is_empty() && weights.len().is_multiple_of(8));
    let sketch = shared.previews.sketch(&shared, REQUEST).await.unwrap();
    assert!(sketch.sketch.direction.len() * 16 <= weights.len() / 8);
    let kept = folder.path().join(format!("previews/sketch-{REQUEST:x}"));
    std::fs::write(&kept, "{\"half\": ").unwrap();
    assert_eq!(shared.previews.sketch(&shared, REQUEST).await.unwrap(), sketch);
    assert!(std::fs::read(&kept).unwrap().len() > 10, "and kept again");
    let _held = hold(&shared);
    assert_eq!(read().await, weights);
}

#[tokio::test(flavor = "multi_thread")]
async fn model_of_few_rows_gives_no_previews() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path(), 12).await;
    for refused in [
        shared.previews.sketch(&shared, REQUEST).await.map(drop),
        shared.previews.weights(&shared, "joint").await.map(drop),
        shared.previews.adapter(&shared, "joint").await.map(drop),
    ] {
        assert!(
            matches!(&refused, Err(AttributorError::NotFound(said)) if said.contains("16 rows")),
            "{refused:?}"
        );
    }
}
