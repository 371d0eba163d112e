//! `conformance roots`: tries from their leaves, through the trie's own encoding and hashing.

use std::{collections::BTreeMap, fs, path::Path};

use alloy_primitives::{B256, hex, keccak256};
use eyre::{OptionExt, Result, ensure};
use openledger_trie::raw_root;
use serde::Deserialize;

use crate::Case;

#[derive(Debug, Deserialize)]
struct TrieTest {
    #[serde(rename = "in")]
    input: Input,
    root: Option<B256>,
    /// Of files about walking a trie, which are not about roots.
    tests: Option<serde_json::Value>,
}

/// Pairs in order, where a missing value removes, or a map in any order.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    Map(BTreeMap<String, Option<String>>),
    Pairs(Vec<(String, Option<String>)>),
    Keys(#[allow(dead_code)] Vec<String>),
}

/// Runs every case of the file. `secure` in its name means that keys are hashed.
pub fn run_roots(file: &Path) -> Result<Vec<Case>> {
    let tests: BTreeMap<String, TrieTest> = serde_json::from_slice(&fs::read(file)?)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_secure = name.contains("secure");
    let rooted = tests.iter().filter(|(_, test)| test.tests.is_none());
    Ok(rooted.map(|(name, test)| Case::new(file, name, run(test, is_secure))).collect())
}

fn run(test: &TrieTest, is_secure: bool) -> Result<()> {
    let expected = test.root.ok_or_eyre("the case names no root")?;
    let pairs: Vec<(&String, &Option<String>)> = match &test.input {
        Input::Map(map) => map.iter().collect(),
        Input::Pairs(pairs) => pairs.iter().map(|(key, value)| (key, value)).collect(),
        Input::Keys(_) => eyre::bail!("the case has keys without values"),
    };
    let leaves = pairs.into_iter().map(|(key, value)| {
        let key = bytes(key)?;
        let key = if is_secure { keccak256(key).to_vec() } else { key };
        Ok((key, value.as_deref().map(bytes).transpose()?.unwrap_or_default()))
    });
    let leaves: Vec<(Vec<u8>, Vec<u8>)> = leaves.collect::<Result<_>>()?;
    let found = raw_root(leaves);
    ensure!(found == expected, "the root is {found}, must be {expected}");
    Ok(())
}

/// Hexadecimal digits after `0x`, text as it is.
fn bytes(text: &str) -> Result<Vec<u8>> {
    Ok(match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits)?,
        None => text.as_bytes().to_vec(),
    })
}
