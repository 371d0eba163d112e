//! Salted commitments to rows, contributions, prompts and answers.

use alloy_primitives::{Address, B256, Keccak256, U256, keccak256};

/// First byte of what is hashed for a leaf.
const LEAF_DOMAIN: u8 = 0;

/// `keccak256(salt ++ row)`: what identifies a row without showing it.
pub fn row_hash(salt: B256, row: &[u8]) -> B256 {
    salted(salt, row)
}

/// `keccak256(0x00 ++ keccak256(salt ++ row))`: the row's leaf in its contribution's tree.
pub fn row_leaf(salt: B256, row: &[u8]) -> B256 {
    let mut bytes = [LEAF_DOMAIN; 33];
    bytes[1..].copy_from_slice(row_hash(salt, row).as_slice());
    keccak256(bytes)
}

/// `keccak256(abi.encode(chainid, datanet, owner, root, salt))`: what `IDatanets.commit` takes.
pub fn contribution_commitment(chain_id: u64, datanet: u64, owner: Address, root: B256, salt: B256) -> B256 {
    words(&[U256::from(chain_id), U256::from(datanet), owner.into_word().into(), root.into(), salt.into()])
}

/// `keccak256(salt ++ prompt)`: what `IPayouts.request` takes.
pub fn prompt_hash(salt: B256, prompt: &[u8]) -> B256 {
    salted(salt, prompt)
}

/// `keccak256(salt ++ big-endian uint32 tokens)`: the answer's hash in a receipt.
pub fn answer_hash(salt: B256, tokens: &[u32]) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(salt);
    for token in tokens {
        hasher.update(token.to_be_bytes());
    }
    hasher.finalize()
}

/// `keccak256(abi.encode(chainid, payer, model, promptHash, deadline))`: the identifier of a request.
pub fn request_id(chain_id: u64, payer: Address, model: u64, prompt_hash: B256, deadline: u64) -> B256 {
    words(&[
        U256::from(chain_id),
        payer.into_word().into(),
        U256::from(model),
        prompt_hash.into(),
        U256::from(deadline),
    ])
}

/// `keccak256(previous ++ root_1 ++ … ++ root_n ++ clusterRoot)`: the root of a Datanet's next version.
pub fn version_root(previous: B256, contributions: &[B256], clusters: B256) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(previous);
    for root in contributions {
        hasher.update(root);
    }
    hasher.update(clusters);
    hasher.finalize()
}

fn salted(salt: B256, bytes: &[u8]) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(salt);
    hasher.update(bytes);
    hasher.finalize()
}

fn words(words: &[U256]) -> B256 {
    let mut hasher = Keccak256::new();
    for word in words {
        hasher.update(word.to_be_bytes::<32>());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{address, b256, hex};

    const SALT: B256 = B256::repeat_byte(0x5a);

    #[test]
    fn leaf_hashes_the_row_hash_with_its_domain() {
        let inner = keccak256([SALT.as_slice(), b"row"].concat());
        assert_eq!(row_leaf(SALT, b"row"), keccak256([&[0u8], inner.as_slice()].concat()));
    }

    #[test]
    fn commitment_hashes_five_words() {
        let owner = address!("0x00000000000000000000000000000000000000aa");
        let root = b256!("0x1111111111111111111111111111111111111111111111111111111111111111");
        let encoded = hex!(
            "0000000000000000000000000000000000000000000000000000000000000384"
            "0000000000000000000000000000000000000000000000000000000000000007"
            "00000000000000000000000000000000000000000000000000000000000000aa"
            "1111111111111111111111111111111111111111111111111111111111111111"
            "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
        );
        assert_eq!(contribution_commitment(900, 7, owner, root, SALT), keccak256(encoded));
    }

    #[test]
    fn answer_hash_takes_tokens_big_endian() {
        let bytes = [SALT.as_slice(), &[0, 0, 0, 1, 0x01, 0x02, 0x03, 0x04]].concat();
        assert_eq!(answer_hash(SALT, &[1, 0x0102_0304]), keccak256(bytes));
        assert_eq!(answer_hash(SALT, &[]), keccak256(SALT));
    }

    #[test]
    fn version_root_chains_to_the_one_before() {
        let (a, b, c) = (B256::repeat_byte(1), B256::repeat_byte(2), B256::repeat_byte(3));
        assert_eq!(version_root(a, &[b], c), keccak256([a.as_slice(), b.as_slice(), c.as_slice()].concat()));
        assert_ne!(version_root(B256::ZERO, &[a, b], c), version_root(B256::ZERO, &[b, a], c));
    }
}
