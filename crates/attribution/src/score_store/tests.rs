//! Stores in local folders: what they answer, and what becomes of damage.

use std::path::Path;

use alloy_primitives::B256;
use proptest::prelude::*;

use super::*;
use crate::error::AttributionError;

fn identity(dimension: usize) -> StoreIdentity {
    let hash = |byte| B256::repeat_byte(byte);
    StoreIdentity { base: hash(1), adapter: hash(2), projection: hash(3), dimension }
}

fn folder(path: &Path) -> StoreFolder {
    StoreFolder::local(path).unwrap()
}

/// Numbers that look random but follow from their place.
fn number(row: u64, place: usize) -> f32 {
    let mixed = (row * 1_000_003 + place as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0
}

fn row(at: u64, dimension: usize) -> Vec<f32> {
    (0..dimension).map(|place| number(at, place)).collect()
}

fn row64(at: u64) -> Vec<f64> {
    row(at, 16).into_iter().map(f64::from).collect()
}

fn fill(writer: &mut ShardWriter, rows: u64, clusters: u32) {
    let dimension = 16;
    while writer.next_row() < rows {
        let at = writer.next_row();
        writer.push(&row(at, dimension), (at % u64::from(clusters)) as u32).unwrap();
    }
}

fn built(path: &Path, rows: u64, rows_per_shard: usize, clusters: u32) -> ScoreStore {
    let mut writer = ShardWriter::open(folder(path), identity(16), rows_per_shard).unwrap();
    fill(&mut writer, rows, clusters);
    writer.finish(clusters as usize).unwrap()
}

fn files(path: &Path) -> Vec<String> {
    let names = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn dot(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Against every stored row multiplied in full, ties and equal rows included.
    #[test]
    fn top_rows_are_those_of_a_full_multiplication(
        seed in 0u64..1000, rows in 1u64..200, per_shard in 1usize..40, top in 1usize..30,
    ) {
        let path = tempfile::tempdir().unwrap();
        let mut writer = ShardWriter::open(folder(path.path()), identity(16), per_shard).unwrap();
        for at in 0..rows {
            // Rows repeat, so that some scores are equal.
            writer.push(&row(seed + at % 17, 16), (at % 5) as u32).unwrap();
        }
        let store = writer.finish(6).unwrap();
        let query = row(seed + 5000, 16);
        let found = store.top_rows(&query, top).unwrap();
        let mut all: Vec<(u64, f64)> =
            (0..rows).map(|at| (at, dot(&store.row(at).unwrap(), &query))).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        prop_assert_eq!(found.len(), top.min(rows as usize));
        for (found, expected) in found.iter().zip(&all) {
            prop_assert!((found.score - expected.1).abs() < 1e-9);
        }
        // Parts scanned by themselves, merged in any order, give the same rows and the same bits.
        let shards = store.shards();
        let middle = shards / 2;
        let mut parts = vec![];
        for range in [middle..shards, 0..middle] {
            if !range.is_empty() {
                let part = ScoreStore::open_shards(&folder(path.path()), range, None).unwrap();
                parts.extend(part.top_rows(&query, top).unwrap());
            }
        }
        prop_assert_eq!(merge_top_rows(parts, top), found);
    }
}

#[test]
fn cluster_scores_are_the_sums_of_all_their_rows_and_empty_clusters_get_nothing() {
    let path = tempfile::tempdir().unwrap();
    let mut writer = ShardWriter::open(folder(path.path()), identity(16), 32).unwrap();
    for at in 0..300 {
        writer.push(&row(at, 16), [0, 2, 5][at as usize % 3]).unwrap();
    }
    let store = writer.finish(8).unwrap();
    let query = row(9000, 16);
    let scores = store.cluster_scores(&query).unwrap();
    assert_eq!((store.clusters(), scores.len()), (8, 8));
    for (cluster, score) in scores.iter().enumerate() {
        let rows = (0..300u64).filter(|at| [0, 2, 5][*at as usize % 3] == cluster);
        let sum: f64 = rows.map(|at| dot(&store.row(at).unwrap(), &query)).sum();
        assert!((sum - score).abs() < 1e-9, "{cluster}");
    }
    assert!([1, 3, 4, 6, 7].iter().all(|&empty: &usize| scores[empty] == 0.0));
}

#[test]
fn row_of_a_cluster_that_is_not_there_is_named() {
    let path = tempfile::tempdir().unwrap();
    let mut writer = ShardWriter::open(folder(path.path()), identity(16), 8).unwrap();
    fill(&mut writer, 20, 3);
    writer.push(&row(20, 16), 3).unwrap();
    let error = writer.finish(3).unwrap_err().to_string();
    assert!(error.contains("row 20 is of cluster 3, of 3"), "{error}");
}

#[test]
fn rows_that_are_not_finite_or_of_another_length_are_refused_and_change_nothing() {
    let path = tempfile::tempdir().unwrap();
    let mut writer = ShardWriter::open(folder(path.path()), identity(16), 8).unwrap();
    fill(&mut writer, 5, 3);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut numbers = row(5, 16);
        numbers[7] = bad;
        let error = writer.push(&numbers, 0).unwrap_err().to_string();
        assert!(error.contains("row 5 is not finite: number 7"), "{error}");
    }
    assert!(writer.push(&row(5, 15), 0).is_err());
    assert_eq!(writer.next_row(), 5);
    fill(&mut writer, 12, 3);
    let store = writer.finish(3).unwrap();
    assert_eq!(store.len(), 12);
    assert!(store.top_rows(&[f32::NAN; 16], 3).is_err());
    assert!(store.top_rows(&[0.0; 15], 3).is_err());
    assert!(store.cluster_scores(&[f32::INFINITY; 16]).is_err());
    assert!(store.top_rows(&[0.0; 16], 0).unwrap().is_empty());
}

#[test]
fn flipped_bit_anywhere_is_reported_with_the_files_name() {
    let path = tempfile::tempdir().unwrap();
    built(path.path(), 40, 16, 3);
    let names = files(path.path());
    assert_eq!(names.len(), 4, "three shards of rows and one of sums: {names:?}");
    for name in &names {
        let file = path.path().join(name);
        let whole = std::fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&file, damaged).unwrap();
            match ScoreStore::open(&folder(path.path()), None) {
                Err(AttributionError::Shard { file, what }) => {
                    assert_eq!(&file, name);
                    assert!(what.contains("checksum"), "{what}");
                }
                other => panic!("byte {at} of {name}: {other:?}"),
            }
        }
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&file, &whole[..length]).unwrap();
            let error = ScoreStore::open(&folder(path.path()), None).unwrap_err();
            assert!(matches!(&error, AttributionError::Shard { file, .. } if file == name), "{error}");
        }
        std::fs::write(&file, whole).unwrap();
    }
    ScoreStore::open(&folder(path.path()), None).unwrap();
    std::fs::remove_file(path.path().join(&names[0])).unwrap();
    let error = ScoreStore::open(&folder(path.path()), None).unwrap_err().to_string();
    assert!(error.contains("shard 0 is missing"), "{error}");
}

#[test]
fn file_with_a_right_checksum_and_wrong_content_is_refused() {
    let path = tempfile::tempdir().unwrap();
    for content in [b"ARROW1 but nothing else in it".to_vec(), vec![], vec![0xff; 4096]] {
        let here = folder(path.path());
        let name = here.put(identity::Kind::Rows, 0, content).unwrap();
        let error = ScoreStore::open(&here, None).unwrap_err();
        assert!(matches!(&error, AttributionError::Shard { file, .. } if *file == name.file), "{error}");
        here.remove(&name).unwrap();
    }
    assert!(matches!(ScoreStore::open(&folder(path.path()), None), Err(AttributionError::Store(_))));
}

#[test]
fn shards_of_another_base_adapter_projection_dimension_or_version_are_refused() {
    let path = tempfile::tempdir().unwrap();
    let store = built(path.path(), 40, 16, 3);
    let own = *store.identity();
    let other = B256::repeat_byte(9);
    for (expected, what) in [
        (StoreIdentity { base: other, ..own }, "another base model"),
        (StoreIdentity { adapter: other, ..own }, "another adapter"),
        (StoreIdentity { projection: other, ..own }, "another projection"),
        (StoreIdentity { dimension: 17, ..own }, "16 numbers a row, expected 17"),
    ] {
        let error = ScoreStore::open(&folder(path.path()), Some(&expected)).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        let error = ShardWriter::open(folder(path.path()), expected, 16).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let mut later = own.metadata(identity::Kind::Rows, 0, "");
    later.insert("openledger.version".into(), "2".into());
    let error = StoreIdentity::read(&later, identity::Kind::Rows).unwrap_err();
    assert!(error.contains("format version 2"), "{error}");
    assert!(StoreIdentity { dimension: 0, ..own }.validate().is_err());
    assert!(StoreIdentity { dimension: MAX_DIMENSION + 1, ..own }.validate().is_err());
}

#[test]
fn writer_goes_on_after_its_last_complete_shard_and_ends_with_the_same_files() {
    let (whole, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    built(whole.path(), 100, 16, 7);
    let mut writer = ShardWriter::open(folder(stopped.path()), identity(16), 16).unwrap();
    fill(&mut writer, 55, 7);
    drop(writer);
    // What a killed writer may leave beside its shards.
    let partial = format!("{}#1", files(stopped.path())[2].replace("rows-00000002", "rows-00000003"));
    std::fs::write(stopped.path().join(&partial), b"ARROW1 half of").unwrap();
    std::fs::write(stopped.path().join("notes.txt"), b"someone's").unwrap();
    assert!(ScoreStore::open(&folder(stopped.path()), None).unwrap().len() == 48, "readable meanwhile");

    let mut writer = ShardWriter::open(folder(stopped.path()), identity(16), 16).unwrap();
    assert_eq!((writer.next_row(), writer.partial_files()), (48, 1));
    fill(&mut writer, 100, 7);
    writer.finish(7).unwrap();
    std::fs::remove_file(stopped.path().join("notes.txt")).unwrap();
    assert_eq!(files(stopped.path()), files(whole.path()));
}

#[test]
fn sums_of_a_store_that_grew_since_are_refused_until_it_is_finished_again() {
    let path = tempfile::tempdir().unwrap();
    built(path.path(), 40, 16, 3);
    let mut writer = ShardWriter::open(folder(path.path()), identity(16), 16).unwrap();
    fill(&mut writer, 60, 3);
    writer.flush().unwrap();
    let error = ScoreStore::open(&folder(path.path()), None).unwrap_err().to_string();
    assert!(error.contains("sums of other rows"), "{error}");
    let store = writer.finish(4).unwrap();
    assert_eq!((store.len(), store.clusters()), (60, 4));
}

#[test]
fn two_readers_and_a_removed_folder_do_not_disturb_each_other() {
    let path = tempfile::tempdir().unwrap();
    let (one, two) = (built(path.path(), 40, 16, 3), ScoreStore::open(&folder(path.path()), None).unwrap());
    let query = row(1, 16);
    path.close().unwrap();
    assert_eq!(one.top_rows(&query, 5).unwrap(), two.top_rows(&query, 5).unwrap());
    assert_eq!(one.cluster_scores(&query).unwrap(), two.cluster_scores(&query).unwrap());
}

#[test]
fn any_object_store_holds_shards() {
    let objects = std::sync::Arc::new(object_store::memory::InMemory::new());
    let prefix = object_store::path::Path::from("model/7");
    let here = StoreFolder::remote(objects, prefix).unwrap();
    let mut writer = ShardWriter::open(here.clone(), identity(16), 16).unwrap();
    fill(&mut writer, 50, 3);
    let store = writer.finish(3).unwrap();
    let local = tempfile::tempdir().unwrap();
    let query = row(77, 16);
    assert_eq!(
        store.top_rows(&query, 9).unwrap(),
        built(local.path(), 50, 16, 3).top_rows(&query, 9).unwrap()
    );
    assert_eq!(ScoreStore::count_shards(&here).unwrap(), 4);
}

#[test]
fn million_rows_are_written_summed_and_scanned() {
    let path = tempfile::tempdir().unwrap();
    let store = built(path.path(), 1_000_000, MAX_ROWS_PER_SHARD, 10_000);
    assert_eq!((store.len(), store.clusters(), store.shards()), (1_000_000, 10_000, 16));
    let query = row(123_456, 16);
    let top = store.top_rows(&query, 20).unwrap();
    let mut all: Vec<(u64, f64)> = (0..1_000_000).map(|at| (at, dot(&row64(at), &query))).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    // Rounding to 16 bits may turn neighbours round, and no more.
    assert!((top[0].score - all[0].1).abs() < 1e-3 && top[19].score > all[25].1);
    let scores = store.cluster_scores(&query).unwrap();
    let sum: f64 = all.iter().filter(|(at, _)| at % 10_000 == 77).map(|(_, score)| score).sum();
    assert!((scores[77] - sum).abs() < 1e-2, "{} {sum}", scores[77]);
}
