//! What clusters promise.

use proptest::prelude::*;

use super::*;
use crate::splitmix::mix;

fn find(texts: &[(&str, u64)]) -> Clusters {
    let rows: Vec<ClusterRow<'_>> =
        texts.iter().map(|&(text, block)| ClusterRow { text, priority: (block, 0) }).collect();
    Clusters::find(&rows, ClusterConfig::default(), &[]).unwrap()
}

const FEVER: &str = "Typhoid fever with involvement of the heart, the lungs and the joints (A01.0)";

#[test]
fn edited_copy_joins_the_earliest_commitment_wherever_it_stands() {
    let copy = "Note: typhoid fever with involvement of the heart - the lungs and the joints (a01.0) etc.";
    let other = "The Congress shall have power to lay and collect taxes, duties and imposts";
    let clusters = find(&[(copy, 9), (other, 1), (FEVER, 3)]);
    assert_eq!(clusters.canonical(), [1, 2]);
    assert_eq!(clusters.cluster_of(), [1, 0, 1]);
    assert_eq!(clusters.members(1).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn case_punctuation_and_spacing_make_no_new_row() {
    let clusters = find(&[("Acute hepatitis A", 1), ("  ACUTE hepatitis, a! ", 1)]);
    assert_eq!(clusters.canonical(), [0]);
}

#[test]
fn copies_in_any_number_leave_the_canonical_rows_as_they_were() {
    let before = find(&[(FEVER, 1), ("A republic, if you can keep it, needs a free press", 1)]);
    let mut texts = vec![(FEVER, 1), ("A republic, if you can keep it, needs a free press", 1)];
    let copies: Vec<String> = (0..200).map(|i| format!("{FEVER} {i}")).collect();
    texts.extend(copies.iter().map(|text| (text.as_str(), 2)));
    assert_eq!(find(&texts).canonical(), before.canonical());
}

#[test]
fn rows_of_one_subject_with_other_words_stay_apart() {
    let clusters = find(&[
        ("Type 1 diabetes mellitus with ketoacidosis without coma and with hyperglycemia", 1),
        ("Type 2 diabetes mellitus with diabetic polyneuropathy and foot ulcer of the left heel", 1),
    ]);
    assert_eq!(clusters.len(), 2);
}

#[test]
fn given_pairs_are_joined_and_bad_ones_refused() {
    let rows = [("one two three four", 1), ("five six seven eight", 2), ("", 3)];
    let rows = rows.map(|(text, block)| ClusterRow { text, priority: (block, 0) });
    let config = ClusterConfig::default();
    assert_eq!(Clusters::find(&rows, config, &[(1, 0)]).unwrap().canonical(), [0, 2]);
    assert!(Clusters::find(&rows, config, &[(0, 3)]).is_err());
    let wrong = ClusterConfig { threshold: 0.0, ..config };
    assert!(Clusters::find(&rows, wrong, &[]).is_err());
    assert!(Clusters::find(&[], config, &[]).unwrap().is_empty());
}

/// Texts of few words, so that many resemble each other, in different blocks.
fn texts() -> impl Strategy<Value = Vec<(String, u64)>> {
    let text = proptest::collection::vec(0u8..6, 0..9)
        .prop_map(|words| words.iter().map(|w| format!("w{w} ")).collect::<String>());
    proptest::collection::vec(text, 1..40)
        .prop_map(|texts| texts.into_iter().zip(0..).collect::<Vec<(String, u64)>>())
}

fn borrowed(texts: &[(String, u64)]) -> Vec<(&str, u64)> {
    texts.iter().map(|(text, block)| (text.as_str(), *block)).collect()
}

/// Each row's canonical row, by block.
fn canonical_blocks(texts: &[(String, u64)]) -> std::collections::BTreeMap<u64, u64> {
    let clusters = find(&borrowed(texts));
    let canonical = |i: usize| texts[clusters.canonical()[clusters.cluster_of()[i]]].1;
    (0..texts.len()).map(|i| (texts[i].1, canonical(i))).collect()
}

proptest! {
    #[test]
    fn order_in_which_rows_are_listed_does_not_matter(texts in texts(), seed in any::<u64>()) {
        let mut shuffled = texts.clone();
        shuffled.sort_by_key(|(_, block)| mix(seed ^ block));
        prop_assert_eq!(canonical_blocks(&texts), canonical_blocks(&shuffled));
    }

    #[test]
    fn later_rows_leave_the_clusters_of_earlier_ones_as_they_were(texts in texts(), cut in 1usize..40) {
        let cut = cut.min(texts.len());
        let (before, after) = (canonical_blocks(&texts[..cut]), canonical_blocks(&texts));
        prop_assert!(before.iter().all(|(block, canonical)| after[block] == *canonical));
    }

    #[test]
    fn clustering_canonical_rows_again_joins_none(texts in texts()) {
        let clusters = find(&borrowed(&texts));
        let kept: Vec<(&str, u64)> =
            clusters.canonical().iter().map(|&i| (texts[i].0.as_str(), texts[i].1)).collect();
        prop_assert_eq!(find(&kept).len(), kept.len());
    }

    #[test]
    fn canonical_row_is_the_earliest_of_its_cluster(texts in texts()) {
        prop_assert!(canonical_blocks(&texts).iter().all(|(block, canonical)| canonical <= block));
    }

    #[test]
    fn scaled_and_jittered_vectors_join_their_original(
        vector in proptest::collection::vec(-1.0f32..1.0, 32),
        scale in 0.1f32..10.0,
        noise in proptest::collection::vec(-0.05f32..0.05, 32),
    ) {
        prop_assume!(vector.iter().map(|v| v * v).sum::<f32>() > 4.0);
        let copy = vector.iter().zip(&noise).map(|(v, n)| scale * (v + n));
        let opposite = vector.iter().map(|v| -v);
        let all: Vec<f32> = vector.iter().copied().chain(copy).chain(opposite).collect();
        let rows = [0, 1, 2].map(|block| ClusterRow { text: "", priority: (block, 0) });
        let clusters = Clusters::find_with_vectors(&rows, &all, ClusterConfig::default(), &[]).unwrap();
        prop_assert_eq!(clusters.cluster_of(), [0, 0, 1]);
    }
}

#[test]
fn row_between_two_others_does_not_merge_them() {
    let first = "one two three four five six seven eight nine ten";
    let second = "alpha beta gamma delta epsilon zeta eta theta iota kappa";
    let bridge = format!("{first} {second}");
    let config = ClusterConfig { shingle_words: 1, ..ClusterConfig::default() };
    for bridge_block in [1, 3, 5] {
        let rows = [(first, 2), (second, 4), (bridge.as_str(), bridge_block)]
            .map(|(text, block)| ClusterRow { text, priority: (block, 0) });
        let clusters = Clusters::find(&rows, config, &[]).unwrap();
        let of = clusters.cluster_of();
        // Whoever commits first the union of what others will write is canonical: it is theirs.
        assert!(bridge_block == 1 || of[0] != of[1], "{of:?}");
    }
}

#[test]
fn rows_without_words_or_vector_resemble_nothing_but_themselves() {
    let rows = ["", "", "!!!", "!!!", "???"].map(|text| ClusterRow { text, priority: (0, 0) });
    let clusters = Clusters::find(&rows, ClusterConfig::default(), &[]).unwrap();
    assert_eq!(clusters.len(), 4);
    assert_eq!(clusters.cluster_of()[2], clusters.cluster_of()[3]);
}

#[test]
fn vectors_of_the_wrong_size_or_not_finite_are_refused() {
    let rows = [ClusterRow { text: "a", priority: (0, 0) }; 2];
    let find = |vectors: &[f32]| Clusters::find_with_vectors(&rows, vectors, ClusterConfig::default(), &[]);
    assert!(find(&[1.0, 2.0, 3.0]).is_err());
    assert!(find(&[1.0, f32::NAN]).is_err());
    assert!(find(&[1.0, 0.0]).is_ok());
}

#[test]
fn beyond_what_is_scanned_bands_still_find_jittered_vectors() {
    let width = 24;
    let number = |row: u64, at: u64| (mix(row * 1000 + at) >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
    let mut index = ClusterIndex::new(ClusterConfig::default()).unwrap();
    let vector = |row: u64| (0..width).map(|at| number(row, at)).collect::<Vec<f32>>();
    for row in 0..4000 {
        index.push("", &vector(row), &[]).unwrap();
    }
    assert!(index.len() > 3900, "{}", index.len());
    let mut missed = 0;
    for row in 0..200 {
        let mut copy = vector(row * 20);
        copy.iter_mut().enumerate().for_each(|(at, v)| *v += 0.1 * number(row + 9_000_000, at as u64));
        missed += usize::from(index.push("", &copy, &[]).unwrap().copied.is_none());
    }
    assert_eq!(missed, 0);
}

/// A million distinct rows, and ten thousand copies of some of them.
#[test]
fn million_rows_are_clustered_in_bounded_memory() {
    let mut index = ClusterIndex::new(ClusterConfig::default()).unwrap();
    let text = |i: u64| (0..5).map(|w| format!("{:x} ", mix(i * 5 + w) % 100_000_007)).collect::<String>();
    for i in 0..1_000_000 {
        index.push(&text(i), &[], &[]).unwrap();
    }
    let clusters = index.len();
    assert!(clusters > 999_000, "{clusters}");
    for i in 0..10_000 {
        let copy = format!("{} indeed", text(i * 100)).to_uppercase();
        assert!(index.push(&copy, &[], &[]).unwrap().copied.is_some(), "{copy}");
    }
    assert_eq!(index.len(), clusters);
    assert!(index.bytes() < 1800 << 20, "{}", index.bytes());
}
