//! A channel that OP Mainnet's batcher posted. Its fixture is not in this repository: the test reads
//! `$OPENLEDGER_SHARED/conformance/op-stack.tar.xz` and says so and passes where that is missing.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{path::PathBuf, process::Command};

use alloy_primitives::hex;
use openledger_protocol::{
    Batch, BatchReader, MAX_RLP_BYTES_PER_CHANNEL, batch::encode_batches, compression::decompress,
};

const MEMBER: &str = "kona/crates/protocol/derive/testdata/batch.hex";
const OP_MAINNET: u64 = 10;

fn fixture() -> Option<Vec<u8>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let shared = std::env::var_os("OPENLEDGER_SHARED").map_or(default.into(), PathBuf::from);
    let archive = shared.join("conformance/op-stack.tar.xz");
    if !archive.exists() {
        eprintln!("skipped: {} is missing, set OPENLEDGER_SHARED", archive.display());
        return None;
    }
    let output = Command::new("tar").arg("-xJOf").arg(archive).arg(MEMBER).output().unwrap();
    assert!(output.status.success(), "tar: {}", String::from_utf8_lossy(&output.stderr));
    Some(hex::decode(String::from_utf8(output.stdout).unwrap().trim()).unwrap())
}

#[test]
fn a_span_batch_of_op_mainnet_is_read_and_written_back_byte_for_byte() {
    let Some(channel) = fixture() else { return };
    let rlp = decompress(&channel, MAX_RLP_BYTES_PER_CHANNEL);
    assert!(rlp.error.is_none(), "{:?}", rlp.error);
    let mut reader = BatchReader::new(&channel);
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch(OP_MAINNET).unwrap() {
        batches.push(batch);
    }
    let [Batch::Span(span)] = batches.as_slice() else { panic!("{} batches", batches.len()) };
    let transactions: usize = span.blocks.iter().map(|block| block.transactions.len()).sum();
    assert_eq!((span.blocks.len(), transactions), (143, 1766));
    assert_eq!(encode_batches(&batches, OP_MAINNET).unwrap(), rlp.bytes);
}
