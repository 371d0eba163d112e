//! What becomes of what the batcher, strangers and L1 do.
#![allow(clippy::unwrap_used, missing_docs)]

mod harness;

use alloy_primitives::{Address, Bytes};
use harness::{MemoryEngine, World, signer};
use openledger_derivation::{ChainEngine, Reaction};
use openledger_protocol::{Batch, ConfigUpdate, encode_batcher_transaction};

const WINDOW: u64 = 40;

async fn world(l1_blocks: usize) -> World {
    World::sequenced(WINDOW, l1_blocks).await
}

#[tokio::test]
async fn a_span_in_calldata_is_derived() {
    let mut w = world(3).await;
    w.post_span(1, w.last());
    assert_eq!(w.verify().await, w.last());
    assert_eq!(w.agreement(), w.last());
}

#[tokio::test]
async fn singular_batches_over_frames_blobs_and_blocks_are_derived() {
    let mut w = world(3).await;
    let frames = w.channel_in(&w.singulars(1, w.last()), 6);
    assert!(frames.len() >= 4);
    let blobs = w.blobs(&[(&frames[..1], false), (&frames[1..3], false)]);
    let rest = w.calldata(&frames[3..]);
    w.mine(vec![blobs]);
    w.mine_empty(2);
    assert_eq!(w.verify().await, 0, "an unfinished channel says nothing");
    w.mine(vec![rest]);
    assert_eq!(w.verify().await, w.last());
    assert_eq!(w.agreement(), w.last());
}

#[tokio::test]
async fn frames_out_of_order_are_dropped_and_can_be_sent_again() {
    let mut w = world(2).await;
    let frames = w.channel_in(&w.span(1, w.last()), 3);
    for index in [0, 2, 1] {
        w.post(&frames[index..=index]);
    }
    assert_eq!(w.verify().await, 0);
    w.post(&frames[2..]);
    assert_eq!(w.verify().await, w.last());
}

#[tokio::test]
async fn a_channel_that_takes_too_long_is_dropped() {
    let mut w = World::sequenced(200, 2).await;
    let frames = w.channel_in(&w.span(1, w.last()), 2);
    let (first, second) = (w.calldata(&frames[..1]), w.calldata(&frames[1..]));
    w.mine(vec![first]);
    w.mine_empty(50);
    w.mine(vec![second]);
    assert_eq!(w.verify().await, 0);
}

#[tokio::test]
async fn a_missing_frame_lets_the_window_pass_and_the_chain_goes_on_with_deposits_only() {
    let mut w = World::new(WINDOW);
    w.mine_logs(vec![w.deposit_log(7)]);
    w.mine_empty(2);
    w.sequence().await;
    let frames = w.channel_in(&w.span(1, w.last()), 3);
    w.post(&[frames[0].clone(), frames[2].clone()]);
    w.mine_empty(WINDOW as usize + 3);
    let safe = w.verify().await;
    assert!(safe > 12, "{safe}");
    let (mut minted, mut user) = (0, 0);
    for number in 1..=safe {
        let block = w.derived(number);
        for tx in &block.body.transactions {
            minted += tx.as_deposit().map_or(0, |deposit| deposit.mint);
            user += u64::from(!tx.is_deposit());
        }
    }
    assert_eq!((minted, user), (7, 0));
}

#[tokio::test]
async fn every_epoch_gets_a_block_when_nobody_batches() {
    let mut w = World::new(5);
    w.mine_empty(20);
    let safe = w.verify().await;
    assert!(safe >= 14 * 6, "{safe}");
    let mut before = 0;
    for number in 1..=safe {
        let block = w.derived(number);
        let block_ref = openledger_protocol::L2BlockRef::from_block(&block, &w.config.genesis).unwrap();
        assert!(block_ref.l1_origin.number - before <= 1);
        before = block_ref.l1_origin.number;
    }
}

#[tokio::test]
async fn batch_in_orphaned_l1_block_is_not_derived() {
    let mut w = world(3).await;
    let frames = w.span_channel(1, w.last());
    let tx = w.calldata(&frames);
    w.mine(vec![tx.clone()]);
    assert_eq!(w.verify().await, w.last());
    w.l1.reorg(1);
    w.mine_empty(2);
    assert_eq!(w.verify().await, 0, "the safe head goes back with its batch");
    assert_eq!(w.heads().unsafe_head.number, w.last(), "blocks stay, unsafe");
    let built = w.replica.built();
    w.mine(vec![tx]);
    assert_eq!(w.verify().await, w.last());
    assert_eq!(w.replica.built(), built, "blocks that are here are compared, not built again");
}

#[tokio::test]
async fn a_reorg_of_an_origin_unwinds_the_blocks_above() {
    let mut w = world(4).await;
    let frames = w.span_channel(1, w.last());
    let tx = w.calldata(&frames);
    w.mine(vec![tx.clone()]);
    assert_eq!(w.verify().await, w.last());
    let unwound_above = w.heads().unsafe_head.number;
    w.l1.reorg(3);
    w.mine_empty(2);
    w.mine(vec![tx]);
    assert_eq!(w.verify().await, 0, "the batch names an L1 chain that is gone");
    assert!(w.heads().unsafe_head.number < unwound_above);
    assert!(w.replica.reorgs() > 0);
}

#[tokio::test]
async fn a_shorter_l1_takes_back_blocks_that_its_window_had_forced() {
    let mut w = World::new(12);
    w.mine_empty(13);
    let forced = w.verify().await;
    w.sequencer = w.replica.copy();
    w.sequence().await;
    w.post_span(forced + 1, w.last());
    assert!(w.verify().await > forced);
    w.l1.reorg(3);
    w.mine_empty(1);
    let safe = w.verify().await;
    assert!(safe < forced, "the window of the second epoch has not passed on this L1");
    let fresh = MemoryEngine::new(w.config.genesis.l2_time);
    w.verifier_on(fresh.clone()).catch_up().await.unwrap();
    assert_eq!(w.heads().safe, fresh.heads().unwrap().safe);
}

#[tokio::test]
async fn blocks_ahead_of_a_shorter_l1_fall_with_the_origin_below_them() {
    let mut w = world(6).await;
    w.post_span(1, w.last());
    assert_eq!(w.verify().await, w.last());
    w.l1.reorg(4);
    w.mine_empty(1);
    w.verify().await;
    let head = w.heads().unsafe_head.number;
    let origin = openledger_protocol::L2BlockRef::from_block(&w.derived(head), &w.config.genesis).unwrap();
    let canonical = w.l1.canonical(origin.l1_origin.number).unwrap().header.hash();
    assert_eq!(origin.l1_origin.hash, canonical, "no block is kept on an origin that is gone");
}

#[tokio::test]
async fn a_reorg_without_a_longer_chain_is_noticed() {
    let mut w = world(3).await;
    w.verify().await;
    w.l1.reorg(1);
    w.mine_empty(1);
    let reader = w.verifier.status();
    w.verify().await;
    assert_eq!(reader.borrow().resets, 1);
    assert_eq!(reader.borrow().l1_origin.unwrap().hash, w.l1.tip().hash());
}

#[tokio::test]
async fn duplicate_and_overlapping_batches_change_nothing() {
    let mut w = world(4).await;
    let middle = w.last() / 2;
    let first = w.span_channel(1, middle);
    let again = w.channel_in(&w.singulars(1, middle), 1);
    let overlap = w.span_channel(middle - 3, w.last());
    for frames in [first.clone(), first, again, overlap.clone(), overlap] {
        w.post(&frames);
    }
    assert_eq!(w.verify().await, w.last());
    assert_eq!(w.agreement(), w.last());
    assert_eq!((w.replica.reorgs(), w.replica.built()), (0, w.last()));
}

#[tokio::test]
async fn a_gap_drops_the_rest_of_the_channel() {
    let mut w = world(3).await;
    let last = w.last();
    let mut batches = w.singulars(1, last);
    batches.remove(4);
    w.post_batches(&batches);
    assert_eq!(w.verify().await, 4);
    w.post_span(5, last);
    assert_eq!(w.verify().await, last);
}

#[tokio::test]
async fn garbage_from_the_batcher_is_passed_over() {
    let mut w = world(3).await;
    let good = w.span_channel(1, w.last());
    let noise = w.raw_channel(&[0x78, 0x9c, 1, 2, 3], 100);
    let brotli = w.raw_channel(&[1, 0xff, 0xfe, 3], 100);
    let unknown = w.raw_channel(b"nothing of the kind", 5);
    let batcher = w.batcher.clone();
    let mut txs = vec![
        w.calldata_by(&batcher, vec![]),
        w.calldata_by(&batcher, vec![0]),
        w.calldata_by(&batcher, vec![9; 300]),
        w.calldata_by(&batcher, [encode_batcher_transaction(&good), vec![1]].concat()),
    ];
    for frames in [&noise, &brotli, &unknown] {
        txs.push(w.calldata(frames));
    }
    w.mine(txs);
    assert_eq!(w.verify().await, 0);
    w.post(&good);
    assert_eq!(w.verify().await, w.last());
}

#[tokio::test]
async fn a_damaged_blob_is_skipped_and_its_neighbour_read() {
    let mut w = world(3).await;
    let (damaged, good) = (w.span_channel(1, w.last()), w.span_channel(1, w.last()));
    let tx = w.blobs(&[(&damaged, true), (&good, false)]);
    w.mine(vec![tx]);
    assert_eq!(w.verify().await, w.last());
}

#[tokio::test]
async fn a_blob_that_cannot_be_had_stops_derivation_before_it_not_past_it() {
    let mut w = world(3).await;
    let frames = w.span_channel(1, w.last());
    let tx = w.blobs(&[(&frames, false)]);
    let hash = tx.as_eip4844().unwrap().tx().blob_versioned_hashes[0];
    let blob = {
        use openledger_l1::L1Source;
        let header = w.l1.tip();
        w.l1.blobs(&header, &[hash]).await.unwrap().remove(0)
    };
    w.l1.remove_blob(&hash);
    w.mine(vec![tx]);
    w.mine_empty(WINDOW as usize * 2);
    let error = w.verifier.catch_up().await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::Retry);
    assert_eq!(w.heads().safe.number, 0, "no empty blocks in its place");
    w.l1.add_blob(hash, blob);
    assert!(w.verify().await >= w.last());
    assert_eq!(w.agreement(), w.last());
}

#[tokio::test]
async fn batches_of_strangers_have_no_effect() {
    let mut w = world(3).await;
    let frames = w.span_channel(1, w.last());
    let stranger = signer(66);
    let tx = w.calldata_by(&stranger, encode_batcher_transaction(&frames));
    w.mine(vec![tx]);
    assert_eq!(w.verify().await, 0);
}

#[tokio::test]
async fn a_new_batcher_counts_from_the_block_that_names_it() {
    let mut w = world(2).await;
    let old = w.batcher.clone();
    let middle = w.last();
    w.post_span(1, middle);
    let new = signer(2);
    let update = ConfigUpdate::Batcher(new.address()).to_log(harness::SYSTEM_CONFIG);
    let limit = ConfigUpdate::GasLimit(50_000_000).to_log(harness::SYSTEM_CONFIG);
    w.mine_logs(vec![update, limit]);
    w.mine_empty(1);
    w.sequence().await;
    let frames = w.span_channel(middle + 1, w.last());
    let by_old = w.calldata_by(&old, encode_batcher_transaction(&frames));
    w.mine(vec![by_old]);
    assert_eq!(w.verify().await, middle);
    let by_new = w.calldata_by(&new, encode_batcher_transaction(&frames));
    w.mine(vec![by_new]);
    assert_eq!(w.verify().await, w.last());
    let block = w.derived(w.last());
    assert_eq!(block.header.gas_limit, 50_000_000);
}

#[tokio::test]
async fn an_invalid_transaction_turns_its_block_into_deposits_and_drops_the_channel() {
    let mut w = world(3).await;
    w.post_singulars_with(3, Bytes::from_static(&[2, 0xc0]));
    assert_eq!(w.verify().await, 3);
    let block = w.derived(3);
    assert!(block.body.transactions.iter().all(|tx| tx.is_deposit()));
    assert_eq!(w.agreement(), 2);
}

#[tokio::test]
async fn a_deposit_in_a_batch_drops_it() {
    let mut w = world(3).await;
    w.post_singulars_with(3, Bytes::from_static(&[0x7e, 0xc0]));
    assert_eq!(w.verify().await, 2);
}

#[tokio::test]
async fn a_sequencers_own_blocks_become_safe_without_being_built_again() {
    let mut w = world(4).await;
    w.post_span(1, w.last());
    let engine = w.sequencer.copy();
    let built = engine.built();
    w.verifier_on(engine.clone()).catch_up().await.unwrap();
    let heads = engine.heads().unwrap();
    assert_eq!(heads.safe, heads.unsafe_head);
    assert_eq!((engine.built(), engine.reorgs()), (built, 0));
}

#[tokio::test]
async fn an_unsafe_block_that_differs_gives_way_to_the_one_on_l1() {
    let mut w = world(3).await;
    let frames = w.span_channel(1, w.last());
    // The replica's own blocks have no transactions, so that they differ from the first on.
    let mut lonely = World { sequencer: w.replica.clone(), ..World::new(WINDOW) };
    lonely.l1 = w.l1.clone();
    lonely.config = w.config.clone();
    for _ in 0..5 {
        lonely.sequence_block(Vec::new()).await;
    }
    w.post(&frames);
    assert_eq!(w.verify().await, w.last());
    assert_eq!(w.agreement(), w.last());
    assert_eq!(w.replica.reorgs(), 1);
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_channel_goes_on_as_if_there_were_none() {
    let mut w = world(4).await;
    let middle = w.last() / 2;
    let first = w.span_channel(1, middle);
    let second = w.channel_in(&w.span(middle + 1, w.last()), 3);
    let txs = vec![w.calldata(&first), w.calldata(&second[..2])];
    w.mine(txs);
    assert_eq!(w.verify().await, middle);
    let mut restarted = w.verifier_on(w.replica.clone());
    w.post(&second[2..]);
    restarted.catch_up().await.unwrap();
    assert_eq!(w.heads().safe.number, w.last());
    assert_eq!(w.agreement(), w.last());
}

#[tokio::test]
async fn l2_becomes_final_with_the_l1_block_that_holds_its_batch() {
    let mut w = world(3).await;
    let middle = w.last() / 2;
    w.post_span(1, middle);
    let with_first = w.l1.tip().number;
    w.post_span(middle + 1, w.last());
    w.verify().await;
    w.l1.finalize(with_first - 1);
    w.verify().await;
    assert_eq!(w.heads().finalized.number, 0);
    w.l1.finalize(with_first);
    w.verify().await;
    assert_eq!(w.heads().finalized.number, middle);
    w.l1.finalize(with_first + 1);
    w.verify().await;
    assert_eq!(w.heads().finalized.number, w.last());
}

#[tokio::test]
async fn a_batch_after_its_window_is_dropped() {
    let mut w = World::sequenced(5, 2).await;
    let frames = w.span_channel(1, w.last());
    w.mine_empty(6);
    w.post(&frames);
    w.mine_empty(6);
    assert!(w.verify().await > w.last());
    assert_eq!(w.agreement(), 0);
}

#[tokio::test]
async fn a_span_that_names_a_stranger_as_its_parent_is_dropped() {
    let mut w = world(3).await;
    let mut span = w.span(1, w.last());
    if let Batch::Span(span) = &mut span[0] {
        span.parent_check = Address::repeat_byte(1).into();
    }
    w.post_batches(&span);
    assert_eq!(w.verify().await, 0);
}
