//! Stores of a model's rows, filled and asked on a model small enough to check them by exact influence.
#![allow(clippy::unwrap_used)]

use std::{fs, ops::ControlFlow, path::Path};

use openledger_attribution::{
    AttributionError, GradientStore, Gradients, InfluenceConfig, ProjectionConfig, Scorer, gradients,
    gradients_on_threads,
    model_store::{FillConfig, FillStage, FillStep, Filled, ModelRows, ModelStore, StoreOf, fill},
};
use openledger_model::{
    Adapter, BaseModel, Device, LoraConfig, ModelConfig, PrefixCache, Sequence, TrainConfig, train,
};

const CONTEXT_TOKENS: usize = 24;

fn toy(seed: u64) -> (BaseModel, Adapter) {
    openledger_model::set_num_threads(1);
    let config = ModelConfig {
        n_layers: 2,
        d_model: 32,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 48,
        vocab_size: 50,
        context_tokens: CONTEXT_TOKENS,
        rope_theta: 1e4,
        rms_epsilon: 1e-5,
    };
    let model = BaseModel::random(config, seed, Device::Cpu).unwrap();
    let lora = LoraConfig { rank: 3, alpha: 6.0, n_layers: 2 };
    // Trained a little, so that neither A nor B is zero.
    let config = TrainConfig { lora, epochs: 2, learning_rate: 0.02, ..TrainConfig::default() };
    let rows: Vec<Sequence> = texts().iter().filter_map(|text| sequence(text).unwrap()).take(9).collect();
    let going_on = |_: &openledger_model::Progress| ControlFlow::Continue(());
    let trained = train(&model, &mut PrefixCache::new(0, 0), &rows, &[], &config, going_on).unwrap();
    (model, trained.adapter)
}

/// Words become tokens: their letters' sum.
fn sequence(text: &str) -> Result<Option<Sequence>, AttributionError> {
    let token = |word: &str| word.bytes().map(u32::from).sum::<u32>() % 50;
    let tokens: Vec<u32> = text.split_whitespace().map(token).collect();
    if tokens.len() < 2 || tokens.len() > CONTEXT_TOKENS {
        return Ok(None);
    }
    Ok(Some(Sequence::new(tokens, 1)?))
}

/// 40 rows that differ, with an empty one, one too long, and two copies between them.
fn texts() -> Vec<String> {
    let word = |i: usize| format!("{}{}", ["ka", "mo", "ti", "ru", "se"][i % 5], i % 83);
    let row =
        |i: usize| (0..6 + i % 7).map(|at| word(i * i * 31 + at * (i + 3) + 7 * at * at)).collect::<Vec<_>>();
    let mut texts: Vec<String> = (0..40).map(|i| row(i).join(" ")).collect();
    texts.insert(5, String::new());
    texts.insert(11, vec!["long"; CONTEXT_TOKENS + 1].join(" "));
    texts.insert(20, texts[3].clone());
    texts.push(texts[30].clone());
    texts
}

fn config() -> FillConfig {
    FillConfig {
        fitted_rows: 24,
        rows_per_shard: 7,
        projection: ProjectionConfig { sketch: 2048, rank: 16, seed: 0 },
        ..FillConfig::default()
    }
}

fn filled(
    folder: &Path,
    (model, adapter): &(BaseModel, Adapter),
    texts: &[String],
    config: &FillConfig,
    step: &mut dyn FnMut(FillStep) -> ControlFlow<()>,
) -> Result<Filled, AttributionError> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    fill(folder, model, adapter, &ModelRows { texts: &texts, sequence: &sequence }, config, step)
}

fn of((model, adapter): &(BaseModel, Adapter), texts: &[String]) -> StoreOf {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let rows = ModelRows { texts: &texts, sequence: &sequence }.hash();
    StoreOf { base: model.hash(), adapter: adapter.hash().unwrap(), rows }
}

fn gradient((model, adapter): &(BaseModel, Adapter), rows: &[Sequence]) -> Gradients {
    gradients(model, adapter, &mut PrefixCache::new(0, 0), &rows.iter().collect::<Vec<_>>()).unwrap()
}

fn going_on(_: FillStep) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn filled_store_gives_the_scores_of_exact_influence_and_names_each_row() {
    let folder = tempfile::tempdir().unwrap();
    let (toy, texts) = (toy(3), texts());
    let path = folder.path().join("store");
    // Whitening is by the fitted rows: all of them, as exact influence has it.
    let config = FillConfig { fitted_rows: 4096, ..config() };
    let mut steps = vec![];
    let told = filled(&path, &toy, &texts, &config, &mut |step| {
        steps.push(step);
        ControlFlow::Continue(())
    })
    .unwrap();
    let contents = told.store.contents();
    assert_eq!((contents.rows(), contents.copies(), contents.misfits()), (44, 2, 2));
    assert_eq!((contents.stored().len(), contents.fitted_rows(), told.resumed_at), (40, 40, 0));
    assert_eq!(told.store.scores().shards(), 6);
    let ends: Vec<(FillStage, usize)> = [&steps[0], steps.last().unwrap()].map(|s| (s.stage, s.done)).into();
    assert_eq!(ends, [(FillStage::Fitting, 0), (FillStage::Storing, 40)]);
    assert!(steps.iter().all(|step| step.of == 40) && steps.is_sorted_by_key(|step| step.done));
    drop(told);

    let store = ModelStore::open(&path, &of(&toy, &texts)).unwrap();
    let rows: Vec<Sequence> = store
        .contents()
        .stored()
        .iter()
        .map(|&row| sequence(&texts[row as usize]).unwrap().unwrap())
        .collect();
    let exact = GradientStore::build(
        &folder.path().join("exact"),
        &toy.0,
        &toy.1,
        &mut PrefixCache::new(0, 0),
        &rows,
        |_| ControlFlow::Continue(()),
    )
    .unwrap();
    let exact = Scorer::new(exact, InfluenceConfig::default()).unwrap();
    for place in [0, 9, 39] {
        let answer = gradient(&toy, &rows[place..=place]);
        let exact = exact.scores(&answer).unwrap();
        let largest = exact.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let query = store.query(answer.values()).unwrap();
        let candidates = query.candidates(40).unwrap();
        let wanted: Vec<Sequence> = candidates.iter().map(|c| rows[c.row as usize].clone()).collect();
        let ranked = query.rank_again(&candidates, &gradient(&toy, &wanted)).unwrap();
        let row = store.contents().stored()[place] as usize;
        assert_eq!((ranked.len(), ranked[0].row), (40, row), "a row as the answer is its own best");
        for found in &ranked {
            let place = store.contents().stored().iter().position(|&r| r as usize == found.row).unwrap();
            assert!((found.score - exact[place]).abs() < 1e-2 * largest, "{found:?} {}", exact[place]);
            assert_eq!(store.contents().cluster_of(found.row), Some(found.cluster));
        }
        // A cluster's sum is its stored row's score, copies or not.
        let clusters = query.clusters(44).unwrap();
        assert_eq!((clusters.len(), clusters[0].row), (40, candidates[0].row_number(&store)));
        for (cluster, candidate) in clusters.iter().zip(&candidates) {
            assert!((cluster.score - candidate.score).abs() < 1e-9 * largest.max(1.0));
            let copies = [3, 30].map(|row| store.contents().cluster_of(row)).contains(&Some(cluster.cluster));
            assert_eq!(cluster.rows, 1 + usize::from(copies), "{cluster:?}");
        }
        assert!(query.candidates(1025).is_err());
        assert!(query.rank_again(&candidates[1..], &gradient(&toy, &wanted)).is_err());
    }
}

/// The row of a candidate among all that were given.
trait RowNumber {
    fn row_number(&self, store: &ModelStore) -> usize;
}

impl RowNumber for openledger_attribution::score_store::RowScore {
    fn row_number(&self, store: &ModelStore) -> usize {
        store.contents().stored()[self.row as usize] as usize
    }
}

#[test]
fn store_stopped_after_every_step_ends_with_the_files_of_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let (toy, texts) = (toy(3), texts());
    let (whole, stopped) = (folder.path().join("whole"), folder.path().join("stopped"));
    filled(&whole, &toy, &texts, &config(), &mut going_on).unwrap();
    let mut starts = vec![];
    let told = loop {
        // Ends at the second thing that is said, as the first is before anything is done.
        let mut said = 0;
        let outcome = filled(&stopped, &toy, &texts, &config(), &mut |step| {
            said += 1;
            if said == 1 {
                starts.push((step.stage, step.done));
            }
            if said == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match outcome {
            Err(AttributionError::Cancelled) => {}
            other => break other.unwrap(),
        }
        assert!(starts.len() < 20, "{starts:?}");
    };
    // One chunk is fitted on, six shards follow, and the last start finds nothing left to take.
    assert_eq!(starts[..2], [(FillStage::Fitting, 0), (FillStage::Fitting, 24)], "{starts:?}");
    assert_eq!((starts.len(), starts.last()), (9, Some(&(FillStage::Storing, 40))), "{starts:?}");
    assert_eq!(told.resumed_at, 40);
    assert_eq!(files(&stopped), files(&whole));
    assert!(!files(&whole).iter().any(|name| name.contains("gradients") || name.contains("partial")));
    let open = |path: &Path| ModelStore::open(path, &of(&toy, &texts)).unwrap();
    let hash = |path: &Path| open(path).projection().hash().unwrap();
    assert_eq!(hash(&stopped), hash(&whole));
    // Filled already: nothing is taken again.
    let again = filled(&whole, &toy, &texts, &config(), &mut |step| {
        assert_eq!((step.stage, step.done), (FillStage::Storing, 40));
        ControlFlow::Continue(())
    });
    assert_eq!(again.unwrap().resumed_at, 40);
}

#[test]
fn gradients_that_were_lost_or_damaged_meanwhile_are_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let (toy, texts) = (toy(3), texts());
    let (whole, stopped) = (folder.path().join("whole"), folder.path().join("stopped"));
    filled(&whole, &toy, &texts, &config(), &mut going_on).unwrap();
    let spool = stopped.join("fitted.gradients");
    for damage in [Some(100), None] {
        let _ = fs::remove_dir_all(&stopped);
        let ended = filled(&stopped, &toy, &texts, &config(), &mut |step| {
            if step.done >= 24 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(ended, Err(AttributionError::Cancelled)));
        match damage {
            Some(at) => {
                let mut bytes = fs::read(&spool).unwrap();
                bytes[at] ^= 1;
                fs::write(&spool, bytes).unwrap();
            }
            None => fs::remove_file(&spool).unwrap(),
        }
        let mut first = None;
        filled(&stopped, &toy, &texts, &config(), &mut |step| {
            first.get_or_insert(step.done);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(first, Some(0));
        assert_eq!(files(&stopped), files(&whole));
    }
}

#[test]
fn other_bases_adapters_and_rows_are_refused_by_hash() {
    let folder = tempfile::tempdir().unwrap();
    let (toy, texts) = (toy(3), texts());
    let path = folder.path().join("store");
    filled(&path, &toy, &texts, &config(), &mut going_on).unwrap();
    let before = files(&path);
    let mut other_rows = texts.clone();
    other_rows[7].push_str(" more");
    let other_base = self::toy(4);
    let other_adapter = (toy.0.share(), Adapter::new(&toy.0, toy.1.config(), 9).unwrap());
    for (toy, texts, said) in [
        (&other_base, &texts, "another base model"),
        (&other_adapter, &texts, "another adapter"),
        (&toy, &other_rows, "other rows"),
    ] {
        let asked = ModelStore::open(&path, &of(toy, texts)).unwrap_err().to_string();
        let refilled = filled(&path, toy, texts, &config(), &mut going_on).unwrap_err().to_string();
        assert!(asked.contains(said) && refilled.contains(said), "{asked} {refilled}");
    }
    let fewer = FillConfig { fitted_rows: 20, ..config() };
    let error = filled(&path, &toy, &texts, &fewer, &mut going_on).unwrap_err().to_string();
    assert!(error.contains("begun with 24 fitted rows, not 20"), "{error}");
    for config in [
        FillConfig { fitted_rows: 0, ..config() },
        FillConfig { fitted_rows: 4097, ..config() },
        FillConfig { rows_per_shard: 0, ..config() },
    ] {
        assert!(filled(&path, &toy, &texts, &config, &mut going_on).is_err());
    }
    assert_eq!(files(&path), before, "a refusal changes nothing");

    // A projection that was fitted on fewer rows, in the place of the store's own.
    let others = folder.path().join("others");
    filled(&others, &toy, &texts, &fewer, &mut going_on).unwrap();
    fs::copy(others.join("projection.safetensors"), path.join("projection.safetensors")).unwrap();
    let error = ModelStore::open(&path, &of(&toy, &texts)).unwrap_err().to_string();
    assert!(error.contains("another projection"), "{error}");
}

#[test]
fn missing_parts_of_a_store_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (toy, texts) = (toy(3), texts());
    let path = folder.path().join("store");
    let refusal = || ModelStore::open(&path, &of(&toy, &texts)).unwrap_err().to_string();
    assert!(refusal().contains("fill the store first"));
    assert!(!path.exists(), "asking makes no folder");
    for until in [1, 24, 31] {
        let _ = filled(&path, &toy, &texts, &config(), &mut |step| {
            if step.done >= until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(refusal().contains("not finished"), "{}", refusal());
    }
    filled(&path, &toy, &texts, &config(), &mut going_on).unwrap();
    fs::remove_file(path.join("curvature.safetensors")).unwrap();
    assert!(refusal().contains("curvature.safetensors"));
    filled(&path, &toy, &texts, &config(), &mut going_on).unwrap();
    ModelStore::open(&path, &of(&toy, &texts)).unwrap();
    fs::remove_file(path.join("contents.safetensors")).unwrap();
    let error = filled(&path, &toy, &texts, &config(), &mut going_on).unwrap_err().to_string();
    assert!(error.contains("missing beside the shards"), "{error}");
}

#[test]
fn store_is_filled_by_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (toy, texts) = (toy(3), texts());
    let mut refused = None;
    filled(folder.path(), &toy, &texts, &config(), &mut |_| {
        let second = filled(folder.path(), &toy, &texts, &config(), &mut going_on);
        refused = second.err().map(|error| error.to_string());
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(refused.is_some_and(|error| error.contains("another process is filling")));
}

#[test]
fn threads_change_no_number_of_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let (toy, texts) = (toy(3), texts());
    let [one, three] = [1, 3].map(|threads| {
        let path = folder.path().join(threads.to_string());
        filled(&path, &toy, &texts, &FillConfig { threads, ..config() }, &mut going_on).unwrap();
        files(&path)
    });
    assert_eq!(one, three);
    let rows: Vec<Sequence> = texts.iter().filter_map(|text| sequence(text).unwrap()).collect();
    let rows: Vec<&Sequence> = rows.iter().collect();
    let [one, three] = [1, 3].map(|threads| gradients_on_threads(&toy.0, &toy.1, &rows, threads).unwrap());
    assert_eq!(one.values(), three.values());
}
