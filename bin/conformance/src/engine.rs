//! `conformance engine`: JSON lines of Engine API calls and what they must answer.
//!
//! The first line names the chain: `{"genesis": {…}}` or `{"genesis": "path"}`, from the file's folder. Every
//! other is `{"method", "params", "expect"}`. What `expect` does not mention is not compared.

use std::{fs, path::Path};

use eyre::{OptionExt, Result, WrapErr, ensure};
use openledger_chainspec::ChainSpec;
use openledger_engine_api::{EngineApi, EngineApiConfig};
use serde_json::{Value, json};

use crate::{Case, chain::Chain};

/// Runs the file's calls in order on one engine, each a case.
pub fn run_engine(file: &Path) -> Result<Vec<Case>> {
    let text = fs::read_to_string(file)?;
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, first) = lines.next().ok_or_eyre("the file has no lines")?;
    let first: Value = serde_json::from_str(first).wrap_err("line 1")?;
    let genesis = match first.get("genesis") {
        Some(Value::String(path)) => fs::read_to_string(file.parent().unwrap_or(file).join(path))?,
        Some(genesis) => genesis.to_string(),
        None => eyre::bail!("line 1 must name the chain: {{\"genesis\": \"path\"}}"),
    };
    let chain = Chain::start(ChainSpec::from_json(&genesis)?)?;
    let api = EngineApi::new(chain.handle.clone(), None, EngineApiConfig::default());
    let mut cases = Vec::new();
    for (index, line) in lines {
        let call = serde_json::from_str::<Value>(line).wrap_err_with(|| format!("line {}", index + 1))?;
        let method = call["method"].as_str().unwrap_or_default().to_owned();
        let params = call.get("params").cloned().unwrap_or_else(|| json!([]));
        let answer = chain.wait(api.call(&method, params));
        let name = format!("line {} {method}", index + 1);
        cases.push(Case::new(file, &name, check(&call["expect"], &answer)));
    }
    drop(api);
    chain.stop()?;
    Ok(cases)
}

/// `expect` is the answer's `result` or `error`, or the whole of it.
fn check(expect: &Value, answer: &Value) -> Result<()> {
    let is_whole = expect.get("result").is_some() || expect.get("error").is_some();
    let found = if is_whole { answer } else { answer.get("result").unwrap_or(answer) };
    ensure!(is_part(expect, found), "answered {answer}, must be {expect}");
    Ok(())
}

/// Whether all that `part` mentions is in `whole`.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| is_part(value, whole.get(key).unwrap_or(&Value::Null)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_part(part, whole))
        }
        (part, whole) => part == whole,
    }
}
