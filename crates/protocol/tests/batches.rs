//! Batches of every kind of transaction, there and back, and damaged on the way.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{
    Encodable2718,
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use openledger_protocol::{
    Batch, BatchReader, Compression, SingularBatch, SpanBatch, batch::encode_batches, compression,
};
use proptest::prelude::*;

const CHAIN: u64 = 424_242;
const GENESIS: u64 = 1_000;

fn access_list() -> AccessList {
    AccessList(vec![AccessListItem {
        address: Address::repeat_byte(3),
        storage_keys: vec![B256::repeat_byte(4)],
    }])
}

fn transaction() -> impl Strategy<Value = Bytes> {
    let fields = (0u8..5, any::<(u64, u64, u128, u128)>(), any::<([u8; 32], bool, bool)>());
    (fields, any::<([u8; 32], [u8; 32], bool)>(), prop::collection::vec(any::<u8>(), 0..90)).prop_map(
        |((kind, (nonce, gas_limit, fee, tip), (value, create, _)), (r, s, parity), input)| {
            let signature = Signature::new(U256::from_be_bytes(r), U256::from_be_bytes(s), parity);
            let (value, input) = (U256::from_be_bytes(value), Bytes::from(input));
            let to = if create { TxKind::Create } else { TxKind::Call(Address::repeat_byte(8)) };
            let mut out = Vec::new();
            match kind {
                0 | 1 => {
                    let chain_id = (kind == 0).then_some(CHAIN);
                    TxLegacy { chain_id, nonce, gas_price: fee, gas_limit, to, value, input }
                        .into_signed(signature)
                        .encode_2718(&mut out);
                }
                2 => TxEip2930 {
                    chain_id: CHAIN,
                    nonce,
                    gas_price: fee,
                    gas_limit,
                    to,
                    value,
                    access_list: access_list(),
                    input,
                }
                .into_signed(signature)
                .encode_2718(&mut out),
                3 => TxEip1559 {
                    chain_id: CHAIN,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee,
                    max_priority_fee_per_gas: tip,
                    to,
                    value,
                    access_list: access_list(),
                    input,
                }
                .into_signed(signature)
                .encode_2718(&mut out),
                _ => TxEip7702 {
                    chain_id: CHAIN,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee,
                    max_priority_fee_per_gas: tip,
                    to: Address::repeat_byte(8),
                    value,
                    access_list: access_list(),
                    authorization_list: vec![
                        Authorization {
                            chain_id: U256::from(CHAIN),
                            address: Address::repeat_byte(2),
                            nonce,
                        }
                        .into_signed(signature),
                    ],
                    input,
                }
                .into_signed(signature)
                .encode_2718(&mut out),
            }
            out.into()
        },
    )
}

prop_compose! {
    fn blocks()(
        blocks in prop::collection::vec((prop::collection::vec(transaction(), 0..4), any::<bool>()), 1..12)
    ) -> Vec<SingularBatch> {
        let mut epoch_number = 77;
        let block = |(index, (transactions, new_origin)): (usize, (Vec<Bytes>, bool))| {
            epoch_number += u64::from(new_origin);
            SingularBatch {
                parent_hash: B256::repeat_byte(index as u8),
                epoch_number,
                epoch_hash: B256::repeat_byte(epoch_number as u8),
                timestamp: GENESIS + 2 * index as u64,
                transactions,
            }
        };
        blocks.into_iter().enumerate().map(block).collect()
    }
}

proptest! {
    #[test]
    fn a_span_gives_back_its_blocks(blocks in blocks(), starts_epoch in any::<bool>()) {
        let span = SpanBatch::new(GENESIS, starts_epoch, &blocks).unwrap();
        prop_assert_eq!(span.first_epoch_number(), blocks[0].epoch_number);
        prop_assert!(span.parent_matches(blocks[0].parent_hash));
        let batch = Batch::Span(span);
        let encoded = batch.encode(CHAIN).unwrap();
        let decoded = Batch::decode(&encoded, CHAIN).unwrap();
        prop_assert_eq!(&decoded, &batch);
        let Batch::Span(decoded) = decoded else { panic!("not a span") };
        for (found, block) in decoded.blocks.iter().zip(&blocks) {
            prop_assert_eq!(&found.transactions, &block.transactions);
        }
    }

    #[test]
    fn a_channel_gives_back_its_batches(blocks in blocks(), zlib in any::<bool>()) {
        let mut batches: Vec<Batch> = blocks.iter().cloned().map(Batch::Singular).collect();
        batches.push(Batch::Span(SpanBatch::new(GENESIS, true, &blocks).unwrap()));
        let rlp = encode_batches(&batches, CHAIN).unwrap();
        let compression =
            if zlib { Compression::Zlib { level: 6 } } else { Compression::Brotli { quality: 5 } };
        let mut reader = BatchReader::new(&compression::compress(&rlp, compression).unwrap());
        for batch in batches {
            prop_assert_eq!(reader.next_batch(CHAIN), Ok(Some(batch)));
        }
        prop_assert_eq!(reader.next_batch(CHAIN), Ok(None));
    }

    #[test]
    fn a_damaged_batch_ends_in_a_batch_or_an_error(
        blocks in blocks(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let span = SpanBatch::new(GENESIS, true, &blocks).unwrap();
        let mut encoded = Batch::Span(span).encode(CHAIN).unwrap();
        for (at, byte) in damage {
            let at = at.index(encoded.len());
            encoded[at] = byte;
        }
        let _ = Batch::decode(&encoded, CHAIN);
        let _ = Batch::decode(&encoded[..cut.index(encoded.len())], CHAIN);
    }

    #[test]
    fn any_bytes_end_in_a_batch_or_an_error(
        version in 0u8..3, bytes in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let _ = Batch::decode(&[&[version][..], &bytes].concat(), CHAIN);
        let mut reader = BatchReader::from_rlp(bytes);
        while let Ok(Some(_)) = reader.next_batch(CHAIN) {}
    }
}
