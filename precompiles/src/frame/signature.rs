//! Signatures over typed data (EIP-712), paid for as the EVM's own precompile is.

use super::gas::ECRECOVER_GAS;
use super::{Frame, Result};
use alloy_primitives::{Address, B256, U256, b256, uint};
use alloy_sol_types::SolStruct;
use revm::precompile::secp256k1::ec_recover_run;

/// `keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")`.
const DOMAIN_TYPE: B256 = b256!("0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f");
/// Half of the curve's order: a signature with a greater `s` has a twin (EIP-2).
const HALF_ORDER: U256 = uint!(0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0_U256);

impl Frame<'_> {
    /// Who signed `digest`: `signature` is r, s and v (27 or 28) in 65 bytes, with the smaller of the two possible `s`.
    pub(crate) fn recover(&mut self, digest: B256, signature: &[u8]) -> Result<Option<Address>> {
        self.charge_recover()?;
        let Ok(signature) = <&[u8; 65]>::try_from(signature) else { return Ok(None) };
        let (r_and_s, v) = (&signature[..64], signature[64]);
        if !matches!(v, 27 | 28) || U256::from_be_slice(&r_and_s[32..]) > HALF_ORDER {
            return Ok(None);
        }
        let mut input = [0; 128];
        input[..32].copy_from_slice(digest.as_slice());
        input[63] = v;
        input[64..].copy_from_slice(r_and_s);
        let Ok(output) = ec_recover_run(&input, ECRECOVER_GAS) else { return Ok(None) };
        let signer = (output.bytes.len() == 32).then(|| Address::from_slice(&output.bytes[12..]));
        Ok(signer.filter(|signer| !signer.is_zero()))
    }

    /// EIP-712's domain separator of a contract of this chain.
    pub(crate) fn domain_separator(&mut self, name: &str, version: &str, contract: Address) -> Result<B256> {
        let mut bytes = [0; 160];
        bytes[..32].copy_from_slice(DOMAIN_TYPE.as_slice());
        bytes[32..64].copy_from_slice(self.keccak(name.as_bytes())?.as_slice());
        bytes[64..96].copy_from_slice(self.keccak(version.as_bytes())?.as_slice());
        bytes[96..128].copy_from_slice(&U256::from(self.chain_id()).to_be_bytes::<32>());
        bytes[128..].copy_from_slice(contract.into_word().as_slice());
        self.keccak(&bytes)
    }

    /// What is signed for `message`, whose fields are value types alone, in the domain.
    pub(crate) fn typed_digest<S: SolStruct>(&mut self, domain: B256, message: &S) -> Result<B256> {
        self.charge_keccak(S::eip712_encode_type().len())?;
        self.charge_keccak(32 + message.eip712_encode_data().len())?;
        let hash = message.eip712_hash_struct();
        let mut bytes = [0; 66];
        bytes[..2].copy_from_slice(&[0x19, 0x01]);
        bytes[2..34].copy_from_slice(domain.as_slice());
        bytes[34..].copy_from_slice(hash.as_slice());
        self.keccak(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Call, Failure, MemoryBackend, Meter};
    use alloy_primitives::{address, hex};
    use alloy_sol_types::Eip712Domain;
    use revm::context_interface::cfg::GasParams;
    use revm::primitives::hardfork::SpecId;

    alloy_sol_types::sol! {
        struct Note { address to; uint64 amount; }
    }

    // The EVM's own test vector.
    const DIGEST: B256 = b256!("0x18c547e4f7b0f325ad1e56f57e26c745b09a3e503d86e00e5255ff7f715d3d1c");
    const SIGNATURE: [u8; 65] = hex!(
        "73b1693892219d736caba55bdb67216e485557ea6b6af75f37096c9aa6a5a75feeb940b1d03b21e36b0e47e79769f095fe2ab855bd91e3a38756b7d75a9c45491c"
    );

    fn with<T>(gas: u64, run: impl FnOnce(&mut Frame<'_>) -> T) -> (T, u64) {
        let mut backend = MemoryBackend { chain: 901, ..MemoryBackend::default() };
        let meter = Meter::new(gas, GasParams::new_spec(SpecId::PRAGUE));
        let mut frame = Frame::new(Call::default(), meter, &mut backend);
        let result = run(&mut frame);
        (result, frame.meter().used())
    }

    #[test]
    fn signer_is_recovered_from_the_smaller_s_alone() {
        // The vector has the greater `s`; its twin has the order less it, and the other v.
        assert_eq!(with(3_000, |frame| frame.recover(DIGEST, &SIGNATURE)).0, Ok(None));
        let order = HALF_ORDER * U256::from(2) + U256::ONE;
        let mut twin = SIGNATURE;
        let s = order - U256::from_be_slice(&SIGNATURE[32..64]);
        twin[32..64].copy_from_slice(&s.to_be_bytes::<32>());
        twin[64] = 27;
        let signer = address!("0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b");
        assert_eq!(with(3_000, |frame| frame.recover(DIGEST, &twin)), (Ok(Some(signer)), 3_000));
        assert_eq!(with(2_999, |frame| frame.recover(DIGEST, &twin)).0, Err(Failure::OutOfGas));
        for (at, byte) in [(64, 0), (64, 26), (64, 29)] {
            let mut bad = twin;
            bad[at] = byte;
            assert_eq!(with(3_000, |frame| frame.recover(DIGEST, &bad)).0, Ok(None));
        }
        assert_eq!(with(3_000, |frame| frame.recover(DIGEST, &twin[..64])).0, Ok(None));
        assert_eq!(with(3_000, |frame| frame.recover(DIGEST, &[0; 65])).0, Ok(None));
    }

    #[test]
    fn digest_is_what_wallets_sign() {
        let note = Note { to: Address::repeat_byte(3), amount: 7 };
        let contract = Address::repeat_byte(9);
        let (digest, gas) = with(100_000, |frame| {
            let domain = frame.domain_separator("Payouts", "1", contract)?;
            frame.typed_digest(domain, &note)
        });
        let domain = Eip712Domain {
            name: Some("Payouts".into()),
            version: Some("1".into()),
            chain_id: Some(U256::from(901)),
            verifying_contract: Some(contract),
            salt: None,
        };
        assert_eq!(digest, Ok(note.eip712_signing_hash(&domain)));
        assert_eq!(gas, 6 * 30 + 6 * (1 + 1 + 5 + 1 + 3 + 3));
    }
}
