//! Random networks: whatever is dropped, repeated, damaged or reorganised, a verifier that followed all
//! along and one that reads the final L1 alone end on the same chain.
#![allow(clippy::unwrap_used, missing_docs)]

mod harness;

use harness::{MemoryEngine, World, signer};
use openledger_derivation::ChainEngine;
use openledger_l1::L1Transaction;
use openledger_protocol::{Batch, Frame, encode_batcher_transaction};
use proptest::prelude::*;

/// One actor's move.
#[derive(Debug, Clone)]
enum Move {
    MineEmpty(usize),
    Sequence,
    Deposit,
    /// Post the blocks after the verifier's safe head, in so many frames, as a span or one by one.
    Post {
        frames: usize,
        span: bool,
        blob: bool,
        apart: bool,
        lose: Option<usize>,
    },
    Repeat,
    Garbage(Vec<u8>),
    Stranger,
    Reorg(usize),
    Verify,
}

fn moves() -> impl Strategy<Value = Move> {
    let post = (1usize..5, any::<(bool, bool, bool)>(), prop::option::weighted(0.2, 0usize..5))
        .prop_map(|(frames, (span, blob, apart), lose)| Move::Post { frames, span, blob, apart, lose });
    prop_oneof![
        3 => (1usize..4).prop_map(Move::MineEmpty),
        3 => Just(Move::Sequence),
        1 => Just(Move::Deposit),
        5 => post,
        1 => Just(Move::Repeat),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Move::Garbage),
        1 => Just(Move::Stranger),
        1 => (1usize..6).prop_map(Move::Reorg),
        4 => Just(Move::Verify),
    ]
}

fn transactions(w: &mut World, frames: &[Frame], blob: bool) -> L1Transaction {
    match blob {
        true => w.blobs(&[(frames, false)]),
        false => w.calldata(frames),
    }
}

async fn play(moves: Vec<Move>) -> (MemoryEngine, MemoryEngine) {
    let mut w = World::new(12);
    let mut last_posted = None;
    for step in moves {
        match step {
            Move::MineEmpty(blocks) => w.mine_empty(blocks),
            Move::Deposit => w.mine_logs(vec![w.deposit_log(3)]),
            Move::Sequence => {
                // The sequencer follows L1 by taking over the verifier's chain.
                w.verify().await;
                w.sequencer = w.replica.copy();
                w.sequence().await;
            }
            Move::Post { frames, span, blob, apart, lose } => {
                let from = w.replica.heads().unwrap().safe.number + 1;
                if w.last() < from {
                    continue;
                }
                let batches: Vec<Batch> =
                    if span { w.span(from, w.last()) } else { w.singulars(from, w.last()) };
                let mut frames = w.channel_in(&batches, frames);
                if let Some(lost) = lose.filter(|lost| *lost < frames.len()) {
                    frames.remove(lost);
                }
                let pieces: Vec<&[Frame]> =
                    if apart { frames.chunks(1).collect() } else { frames.chunks(99).collect() };
                for piece in pieces {
                    let tx = transactions(&mut w, piece, blob);
                    last_posted = Some(tx.clone());
                    w.mine(vec![tx]);
                }
            }
            Move::Repeat => w.mine(last_posted.iter().cloned().collect()),
            Move::Garbage(data) => {
                let batcher = w.batcher.clone();
                let tx = w.calldata_by(&batcher, data);
                w.mine(vec![tx]);
            }
            Move::Stranger => {
                let noise = w.raw_channel(&[0x78, 1, 2], 2);
                let tx = w.calldata_by(&signer(66), encode_batcher_transaction(&noise));
                w.mine(vec![tx]);
            }
            Move::Reorg(depth) => {
                w.l1.reorg(depth);
                w.mine_empty(1);
            }
            Move::Verify => {
                w.verify().await;
            }
        }
    }
    w.verify().await;
    let fresh = MemoryEngine::new(w.config.genesis.l2_time);
    w.verifier_on(fresh.clone()).catch_up().await.unwrap();
    (w.replica, fresh)
}

/// More with `PROPTEST_CASES`.
const CASES: u32 = 60;

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn following_along_and_reading_afterwards_end_on_the_same_chain(
        moves in prop::collection::vec(moves(), 1..30)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (followed, read) = runtime.block_on(play(moves));
        prop_assert_eq!(followed.heads().unwrap().safe, read.heads().unwrap().safe);
    }
}
