//! The transaction envelope: every type that a block of either kind of chain may hold.

use std::fmt;

use alloy_consensus::{
    EthereumTxEnvelope, Sealable, Sealed, Signed, TransactionEnvelope, TxEip1559, TxEip2930, TxEip4844,
    TxEip7702, TxLegacy,
    crypto::{RecoveryError, secp256k1},
    transaction::{SignerRecoverable, TxHashRef},
};
use alloy_primitives::{Address, B256, Signature};
use derive_more::From;
use op_alloy_consensus::{OpTransaction, OpTxEnvelope, TxDeposit, TxPostExec};

/// A transaction of an OP chain or of a plain Ethereum chain (EIP-2718).
#[derive(Debug, Clone, From, TransactionEnvelope)]
#[envelope(tx_type_name = OpenTxType, typed = OpenTypedTransaction)]
pub enum OpenTxEnvelope {
    /// Without a type: from before EIP-2718.
    #[envelope(ty = 0)]
    Legacy(Signed<TxLegacy>),
    /// Type 1, with an access list.
    #[envelope(ty = 1)]
    Eip2930(Signed<TxEip2930>),
    /// Type 2, with a fee cap and a tip.
    #[envelope(ty = 2)]
    Eip1559(Signed<TxEip1559>),
    /// Type 3, with the hashes of blobs; never in an OP block.
    #[envelope(ty = 3)]
    Eip4844(Signed<TxEip4844>),
    /// Type 4, with authorizations to set code.
    #[envelope(ty = 4)]
    Eip7702(Signed<TxEip7702>),
    /// Type 0x7e, derived from L1 and unsigned; only in OP blocks.
    #[envelope(ty = 126)]
    #[serde(serialize_with = "op_alloy_consensus::serde_deposit_tx_rpc")]
    Deposit(Sealed<TxDeposit>),
}

/// A transaction whose type has no place on the other kind of chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherChainKind {
    /// Its EIP-2718 type.
    pub ty: u8,
}

impl fmt::Display for OtherChainKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transactions of type {:#04x} are not part of this kind of chain", self.ty)
    }
}

impl std::error::Error for OtherChainKind {}

impl OpenTxEnvelope {
    /// The transaction's hash.
    pub fn hash(&self) -> &B256 {
        match self {
            Self::Legacy(tx) => tx.hash(),
            Self::Eip2930(tx) => tx.hash(),
            Self::Eip1559(tx) => tx.hash(),
            Self::Eip4844(tx) => tx.hash(),
            Self::Eip7702(tx) => tx.hash(),
            Self::Deposit(tx) => tx.hash_ref(),
        }
    }

    /// The transaction's hash.
    pub fn tx_hash(&self) -> B256 {
        *self.hash()
    }

    /// Whether it is a deposit.
    pub const fn is_deposit(&self) -> bool {
        matches!(self, Self::Deposit(_))
    }

    /// The deposit, where it is one.
    pub const fn as_deposit(&self) -> Option<&Sealed<TxDeposit>> {
        match self {
            Self::Deposit(deposit) => Some(deposit),
            _ => None,
        }
    }

    /// The signature; deposits have none.
    pub const fn signature(&self) -> Option<&Signature> {
        match self {
            Self::Legacy(tx) => Some(tx.signature()),
            Self::Eip2930(tx) => Some(tx.signature()),
            Self::Eip1559(tx) => Some(tx.signature()),
            Self::Eip4844(tx) => Some(tx.signature()),
            Self::Eip7702(tx) => Some(tx.signature()),
            Self::Deposit(_) => None,
        }
    }

    /// What was signed and how; the sender of a deposit, which is not signed.
    pub(crate) fn signed(&self) -> Result<(&Signature, B256), Address> {
        match self {
            Self::Legacy(tx) => Ok((tx.signature(), tx.signature_hash())),
            Self::Eip2930(tx) => Ok((tx.signature(), tx.signature_hash())),
            Self::Eip1559(tx) => Ok((tx.signature(), tx.signature_hash())),
            Self::Eip4844(tx) => Ok((tx.signature(), tx.signature_hash())),
            Self::Eip7702(tx) => Ok((tx.signature(), tx.signature_hash())),
            Self::Deposit(tx) => Err(tx.from),
        }
    }
}

impl SignerRecoverable for OpenTxEnvelope {
    fn recover_signer(&self) -> Result<Address, RecoveryError> {
        match self.signed() {
            Ok((signature, hash)) => secp256k1::recover_signer(signature, hash),
            Err(from) => Ok(from),
        }
    }

    fn recover_signer_unchecked(&self) -> Result<Address, RecoveryError> {
        match self.signed() {
            Ok((signature, hash)) => secp256k1::recover_signer_unchecked(signature, hash),
            Err(from) => Ok(from),
        }
    }
}

impl TxHashRef for OpenTxEnvelope {
    fn tx_hash(&self) -> &B256 {
        self.hash()
    }
}

impl OpTransaction for OpenTxEnvelope {
    fn is_deposit(&self) -> bool {
        self.is_deposit()
    }

    fn as_deposit(&self) -> Option<&Sealed<TxDeposit>> {
        self.as_deposit()
    }

    fn as_post_exec(&self) -> Option<&Sealed<TxPostExec>> {
        None
    }
}

impl From<TxDeposit> for OpenTxEnvelope {
    fn from(tx: TxDeposit) -> Self {
        Self::Deposit(tx.seal_slow())
    }
}

impl From<EthereumTxEnvelope<TxEip4844>> for OpenTxEnvelope {
    fn from(tx: EthereumTxEnvelope<TxEip4844>) -> Self {
        match tx {
            EthereumTxEnvelope::Legacy(tx) => Self::Legacy(tx),
            EthereumTxEnvelope::Eip2930(tx) => Self::Eip2930(tx),
            EthereumTxEnvelope::Eip1559(tx) => Self::Eip1559(tx),
            EthereumTxEnvelope::Eip4844(tx) => Self::Eip4844(tx),
            EthereumTxEnvelope::Eip7702(tx) => Self::Eip7702(tx),
        }
    }
}

impl TryFrom<OpenTxEnvelope> for EthereumTxEnvelope<TxEip4844> {
    type Error = OtherChainKind;

    fn try_from(tx: OpenTxEnvelope) -> Result<Self, OtherChainKind> {
        Ok(match tx {
            OpenTxEnvelope::Legacy(tx) => Self::Legacy(tx),
            OpenTxEnvelope::Eip2930(tx) => Self::Eip2930(tx),
            OpenTxEnvelope::Eip1559(tx) => Self::Eip1559(tx),
            OpenTxEnvelope::Eip4844(tx) => Self::Eip4844(tx),
            OpenTxEnvelope::Eip7702(tx) => Self::Eip7702(tx),
            OpenTxEnvelope::Deposit(_) => return Err(OtherChainKind { ty: OpenTxType::Deposit.into() }),
        })
    }
}

impl TryFrom<OpTxEnvelope> for OpenTxEnvelope {
    type Error = OtherChainKind;

    fn try_from(tx: OpTxEnvelope) -> Result<Self, OtherChainKind> {
        Ok(match tx {
            OpTxEnvelope::Legacy(tx) => Self::Legacy(tx),
            OpTxEnvelope::Eip2930(tx) => Self::Eip2930(tx),
            OpTxEnvelope::Eip1559(tx) => Self::Eip1559(tx),
            OpTxEnvelope::Eip7702(tx) => Self::Eip7702(tx),
            OpTxEnvelope::Deposit(tx) => Self::Deposit(tx),
            tx @ OpTxEnvelope::PostExec(_) => return Err(OtherChainKind { ty: tx.tx_type().into() }),
        })
    }
}

impl TryFrom<OpenTxEnvelope> for OpTxEnvelope {
    type Error = OtherChainKind;

    fn try_from(tx: OpenTxEnvelope) -> Result<Self, OtherChainKind> {
        Ok(match tx {
            OpenTxEnvelope::Legacy(tx) => Self::Legacy(tx),
            OpenTxEnvelope::Eip2930(tx) => Self::Eip2930(tx),
            OpenTxEnvelope::Eip1559(tx) => Self::Eip1559(tx),
            OpenTxEnvelope::Eip4844(_) => return Err(OtherChainKind { ty: OpenTxType::Eip4844.into() }),
            OpenTxEnvelope::Eip7702(tx) => Self::Eip7702(tx),
            OpenTxEnvelope::Deposit(tx) => Self::Deposit(tx),
        })
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction, Typed2718};
    use alloy_eips::{Decodable2718, Encodable2718};
    use alloy_primitives::U256;
    use alloy_signer::SignerSync;
    use alloy_signer_local::PrivateKeySigner;

    use super::*;

    fn sign<T: SignableTransaction<Signature>>(tx: T) -> Signed<T> {
        let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
        let signature = signer.sign_hash_sync(&tx.signature_hash()).unwrap();
        tx.into_signed(signature)
    }

    fn one_of_each() -> Vec<OpenTxEnvelope> {
        vec![
            sign(TxLegacy { gas_price: 3, ..Default::default() }).into(),
            sign(TxEip2930 { nonce: 1, ..Default::default() }).into(),
            sign(TxEip1559 { nonce: 2, ..Default::default() }).into(),
            sign(TxEip4844 { blob_versioned_hashes: vec![B256::repeat_byte(1)], ..Default::default() })
                .into(),
            sign(TxEip7702 { nonce: 4, ..Default::default() }).into(),
            TxDeposit { from: Address::repeat_byte(9), mint: 5, ..Default::default() }.into(),
        ]
    }

    #[test]
    fn every_type_decodes_to_what_was_encoded() {
        let types: Vec<u8> = one_of_each().iter().map(Typed2718::ty).collect();
        assert_eq!(types, [0, 1, 2, 3, 4, 0x7e]);
        for tx in one_of_each() {
            assert_eq!(OpenTxEnvelope::decode_2718_exact(&tx.encoded_2718()).unwrap(), tx);
            let rlp = alloy_rlp::encode(&tx);
            assert_eq!(alloy_rlp::decode_exact::<OpenTxEnvelope>(&rlp).unwrap(), tx);
        }
    }

    #[test]
    fn senders_are_recovered_and_those_of_deposits_are_named() {
        let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
        for tx in one_of_each() {
            let expected = if tx.is_deposit() { Address::repeat_byte(9) } else { signer.address() };
            assert_eq!(tx.recover_signer().unwrap(), expected);
        }
        let mut many: Vec<_> = (0..3).flat_map(|_| one_of_each()).collect();
        many[1] = Signed::new_unchecked(
            TxEip2930::default(),
            Signature::new(U256::ZERO, U256::ONE, true),
            B256::ZERO,
        )
        .into();
        for ((index, tx), sender) in many.iter().enumerate().zip(crate::recover_senders(&many)) {
            assert_eq!(sender.ok(), tx.recover_signer().ok().filter(|_| index != 1));
        }
    }

    #[test]
    fn blobs_have_no_op_form_and_deposits_no_ethereum_form() {
        for tx in one_of_each() {
            let ty = tx.ty();
            let op = OpTxEnvelope::try_from(tx.clone());
            assert_eq!(op.as_ref().err(), (ty == 3).then_some(&OtherChainKind { ty: 3 }));
            if let Ok(op) = op {
                assert_eq!(op.encoded_2718(), tx.encoded_2718());
                assert_eq!(OpenTxEnvelope::try_from(op).unwrap(), tx);
            }
            let ethereum = EthereumTxEnvelope::<TxEip4844>::try_from(tx.clone());
            assert_eq!(ethereum.as_ref().err(), (ty == 0x7e).then_some(&OtherChainKind { ty: 0x7e }));
            if let Ok(ethereum) = ethereum {
                assert_eq!(OpenTxEnvelope::from(ethereum), tx);
            }
        }
    }

    #[test]
    fn type_7d_is_not_decoded() {
        assert!(OpenTxEnvelope::decode_2718_exact(&[0x7d, 0xc0]).is_err());
    }
}
