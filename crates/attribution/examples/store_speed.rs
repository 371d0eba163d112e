//! How fast a score store answers, on rows that are random: nothing in them helps the scan.
//!
//! `cargo run -p openledger-attribution --example store_speed -- FOLDER [rows] [clusters] [dimension]`
//!
//! Writes the store (or goes on with one), opens it, and prints the medians of 21 queries as JSON.

use std::{error::Error, time::Instant};

use alloy_primitives::B256;
use openledger_attribution::score_store::{ShardWriter, StoreFolder, StoreIdentity};

const QUERIES: u64 = 21;
/// Rows that exact gradients rank again.
const CANDIDATES: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = StoreFolder::local(arguments.first().ok_or("give a folder")?)?;
    let number = |i: usize, default: usize| arguments.get(i).map_or(Ok(default), |text| text.parse());
    let (rows, clusters, dimension) = (number(1, 1_000_000)?, number(2, 10_000)?, number(3, 512)?);
    let hash = B256::repeat_byte(7);
    let identity = StoreIdentity { base: hash, adapter: hash, projection: hash, dimension };

    let start = Instant::now();
    let mut writer = ShardWriter::open(folder, identity, 16_384)?;
    let first = writer.next_row();
    for row in first..rows as u64 {
        // Neighbours in a cluster are not neighbours in the file.
        writer.push(&random(row, dimension), (mix(row) % clusters as u64) as u32)?;
    }
    let store = writer.finish(clusters)?;
    let written = start.elapsed().as_secs_f64();

    let (mut payout, mut top, mut candidates) = (vec![], vec![], vec![]);
    for query in 0..QUERIES {
        let query = random((1 << 40) + query, dimension);
        let start = Instant::now();
        let scores = store.cluster_scores(&query)?;
        payout.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let best = store.top_rows(&query, 20)?;
        top.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let named = store.top_rows(&query, CANDIDATES)?;
        candidates.push(start.elapsed().as_secs_f64() * 1e3);
        assert!(scores.len() == clusters && best.len() == 20 && named.len() == CANDIDATES);
    }
    let line = serde_json::json!({
        "rows": store.len(),
        "clusters": clusters,
        "dimension": dimension,
        "written_s": written,
        "rows_written": rows as u64 - first,
        "bytes_per_row": store.bytes() as f64 / store.len() as f64,
        "payout_ms": median(&mut payout),
        "payout_best_ms": payout[0],
        "top20_ms": median(&mut top),
        "top20_best_ms": top[0],
        "top200_ms": median(&mut candidates),
    });
    println!("{line}");
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// About normal: the sum of four uniform numbers out of one draw.
fn random(row: u64, dimension: usize) -> Vec<f32> {
    let draw = |place: u64| {
        let bits = mix(row.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ place);
        (0..4).map(|i| (bits >> (16 * i) & 0xffff) as f32).sum::<f32>() / 65_535.0 - 2.0
    };
    (0..dimension as u64).map(draw).collect()
}

const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
