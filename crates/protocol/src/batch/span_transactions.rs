//! The transactions of a span batch, column by column.
//!
//! ```text
//! creation bits · y parity bits · r and s of each · recipients · the rest of each as RLP · nonces ·
//! gas limits · EIP-155 bits of legacy transactions
//! ```

use alloy_consensus::{SignableTransaction, Transaction, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{Decodable2718, Encodable2718, eip2930::AccessList, eip7702::SignedAuthorization};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use op_alloy_consensus::OpTxEnvelope;

use super::{BatchError, bits, varint};

const SIGNATURE_BYTES: usize = 64;
const ADDRESS_BYTES: usize = 20;

#[derive(Debug, RlpEncodable, RlpDecodable)]
struct Legacy {
    value: U256,
    gas_price: u128,
    data: Bytes,
}

#[derive(Debug, RlpEncodable, RlpDecodable)]
struct Eip2930 {
    value: U256,
    gas_price: u128,
    data: Bytes,
    access_list: AccessList,
}

#[derive(Debug, RlpEncodable, RlpDecodable)]
struct Eip1559 {
    value: U256,
    max_priority_fee_per_gas: u128,
    max_fee_per_gas: u128,
    data: Bytes,
    access_list: AccessList,
}

#[derive(Debug, RlpEncodable, RlpDecodable)]
struct Eip7702 {
    value: U256,
    max_priority_fee_per_gas: u128,
    max_fee_per_gas: u128,
    data: Bytes,
    access_list: AccessList,
    authorization_list: Vec<SignedAuthorization>,
}

#[derive(Debug)]
enum Body {
    Legacy(Legacy),
    Eip2930(Eip2930),
    Eip1559(Eip1559),
    Eip7702(Eip7702),
}

pub(super) fn encode<'a>(
    transactions: impl Iterator<Item = &'a Bytes>,
    l2_chain_id: u64,
    out: &mut Vec<u8>,
) -> Result<(), BatchError> {
    let (mut creations, mut parities, mut protections) = (Vec::new(), Vec::new(), Vec::new());
    let (mut signatures, mut recipients, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    let (mut nonces, mut gas_limits) = (Vec::new(), Vec::new());
    for (index, raw) in transactions.enumerate() {
        let failed = |reason| BatchError::Transaction { index, reason };
        let tx = OpTxEnvelope::decode_2718_exact(raw).map_err(|_| failed("not a transaction"))?;
        let signature = match &tx {
            OpTxEnvelope::Legacy(tx) => {
                protections.push(tx.tx().chain_id.is_some());
                tx.signature()
            }
            OpTxEnvelope::Eip2930(tx) => tx.signature(),
            OpTxEnvelope::Eip1559(tx) => tx.signature(),
            OpTxEnvelope::Eip7702(tx) => tx.signature(),
            _ => return Err(BatchError::TransactionType(tx.tx_type().into())),
        };
        if tx.chain_id().is_some_and(|id| id != l2_chain_id) {
            return Err(failed("signed for another chain"));
        }
        creations.push(tx.to().is_none());
        parities.push(signature.v());
        signatures.extend(signature.r().to_be_bytes::<32>());
        signatures.extend(signature.s().to_be_bytes::<32>());
        recipients.extend(tx.to().unwrap_or_default().iter().filter(|_| tx.to().is_some()));
        Body::of(&tx).encode(&mut bodies);
        varint::write(tx.nonce(), &mut nonces);
        varint::write(tx.gas_limit(), &mut gas_limits);
    }
    bits::write(&creations, out);
    bits::write(&parities, out);
    for column in [signatures, recipients, bodies, nonces, gas_limits] {
        out.extend(column);
    }
    bits::write(&protections, out);
    Ok(())
}

/// Takes `count` transactions off the front of `input`.
pub(super) fn decode(input: &mut &[u8], count: usize, l2_chain_id: u64) -> Result<Vec<Bytes>, BatchError> {
    let creations = bits::read(input, count, "creation bits")?;
    let parities = bits::read(input, count, "y parity bits")?;
    let signatures = take(input, count.saturating_mul(SIGNATURE_BYTES), "signatures")?;
    let calls = creations.iter().filter(|&&creation| !creation).count();
    let mut recipients = take(input, calls * ADDRESS_BYTES, "recipients")?
        .chunks_exact(ADDRESS_BYTES)
        .map(Address::from_slice);
    let bodies = (0..count).map(|_| Body::decode(input)).collect::<Result<Vec<_>, _>>()?;
    let nonces = numbers(input, count, "nonces")?;
    let gas_limits = numbers(input, count, "gas limits")?;
    let legacy = bodies.iter().filter(|body| matches!(body, Body::Legacy(_))).count();
    let mut protections = bits::read(input, legacy, "protected bits")?.into_iter();

    let rows = signatures.chunks_exact(SIGNATURE_BYTES).zip(bodies).zip(nonces.iter().zip(gas_limits));
    let mut transactions = Vec::with_capacity(count);
    for (index, ((signature, body), (&nonce, gas_limit))) in rows.enumerate() {
        let (r, s) = signature.split_at(32);
        let row = Row {
            index,
            signature: Signature::new(U256::from_be_slice(r), U256::from_be_slice(s), parities[index]),
            to: match creations[index] {
                true => TxKind::Create,
                false => recipients.next().map_or(TxKind::Create, TxKind::Call),
            },
            nonce,
            gas_limit,
            protected: matches!(body, Body::Legacy(_)) && protections.next().unwrap_or_default(),
        };
        transactions.push(row.into_transaction(body, l2_chain_id)?);
    }
    Ok(transactions)
}

/// The columns of one transaction other than its body.
struct Row {
    index: usize,
    signature: Signature,
    to: TxKind,
    nonce: u64,
    gas_limit: u64,
    protected: bool,
}

impl Row {
    fn into_transaction(self, body: Body, chain_id: u64) -> Result<Bytes, BatchError> {
        let Self { index, signature, to, nonce, gas_limit, protected } = self;
        let mut out = Vec::new();
        match body {
            Body::Legacy(Legacy { value, gas_price, data: input }) => {
                let chain_id = protected.then_some(chain_id);
                TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input }
                    .into_signed(signature)
                    .encode_2718(&mut out);
            }
            Body::Eip2930(Eip2930 { value, gas_price, data: input, access_list }) => {
                TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input }
                    .into_signed(signature)
                    .encode_2718(&mut out);
            }
            Body::Eip1559(body) => TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: body.max_fee_per_gas,
                max_priority_fee_per_gas: body.max_priority_fee_per_gas,
                to,
                value: body.value,
                access_list: body.access_list,
                input: body.data,
            }
            .into_signed(signature)
            .encode_2718(&mut out),
            Body::Eip7702(body) => {
                let TxKind::Call(to) = to else {
                    let reason = "sets code but has no recipient";
                    return Err(BatchError::Transaction { index, reason });
                };
                TxEip7702 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: body.max_fee_per_gas,
                    max_priority_fee_per_gas: body.max_priority_fee_per_gas,
                    to,
                    value: body.value,
                    access_list: body.access_list,
                    authorization_list: body.authorization_list,
                    input: body.data,
                }
                .into_signed(signature)
                .encode_2718(&mut out);
            }
        }
        Ok(out.into())
    }
}

impl Body {
    fn of(tx: &OpTxEnvelope) -> Self {
        let (value, data) = (tx.value(), tx.input().clone());
        let gas_price = tx.gas_price().unwrap_or_default();
        let max_fee_per_gas = tx.max_fee_per_gas();
        let max_priority_fee_per_gas = tx.max_priority_fee_per_gas().unwrap_or_default();
        let access_list = tx.access_list().cloned();
        let authorization_list = tx.authorization_list().map(<[_]>::to_vec);
        match (access_list, authorization_list, tx.max_priority_fee_per_gas()) {
            (None, _, _) => Self::Legacy(Legacy { value, gas_price, data }),
            (Some(access_list), _, None) => Self::Eip2930(Eip2930 { value, gas_price, data, access_list }),
            (Some(access_list), None, Some(_)) => {
                Self::Eip1559(Eip1559 { value, max_priority_fee_per_gas, max_fee_per_gas, data, access_list })
            }
            (Some(access_list), Some(authorization_list), Some(_)) => Self::Eip7702(Eip7702 {
                value,
                max_priority_fee_per_gas,
                max_fee_per_gas,
                data,
                access_list,
                authorization_list,
            }),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Legacy(body) => body.encode(out),
            Self::Eip2930(body) => {
                out.push(1);
                body.encode(out);
            }
            Self::Eip1559(body) => {
                out.push(2);
                body.encode(out);
            }
            Self::Eip7702(body) => {
                out.push(4);
                body.encode(out);
            }
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Self, BatchError> {
        let what = "transaction data";
        let &first = input.first().ok_or(BatchError::Truncated(what))?;
        let is_list = first >= 0xc0;
        if !is_list {
            *input = &input[1..];
        }
        let decoded = match first {
            _ if is_list => Legacy::decode(input).map(Self::Legacy),
            1 => Eip2930::decode(input).map(Self::Eip2930),
            2 => Eip1559::decode(input).map(Self::Eip1559),
            4 => Eip7702::decode(input).map(Self::Eip7702),
            other => return Err(BatchError::TransactionType(other)),
        };
        decoded.map_err(|source| BatchError::Rlp { what, source })
    }
}

fn take<'a>(input: &mut &'a [u8], length: usize, what: &'static str) -> Result<&'a [u8], BatchError> {
    let (taken, rest) = input.split_at_checked(length).ok_or(BatchError::Truncated(what))?;
    *input = rest;
    Ok(taken)
}

fn numbers(input: &mut &[u8], count: usize, what: &'static str) -> Result<Vec<u64>, BatchError> {
    (0..count).map(|_| varint::read(input, what)).collect()
}
