//! For tests: an L1 node as the chain, where the precompiles' places hold code that says what a test has it say.

use crate::{
    Case, CaseContribution, ContributionFacts, DatasetVersion, Facts, ModelRecord, RowRef, RunSettings,
    TrainingSettings,
    chain::Chain,
    dataset::{DatasetRow, clusters},
    jobs::Callers,
    journal::Journal,
    lab::{ADAPTER_FILE, Lab},
    preview::Previews,
    service::Shared,
    token::OperatorToken,
    training::{self, ChosenRows},
};
use alloy_node_bindings::{Anvil, AnvilInstance};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use alloy_provider::{DynProvider, Provider, ProviderBuilder};
use alloy_signer_local::PrivateKeySigner;
use openledger_attribution::{InfluenceConfig, ShareConfig};
use openledger_content_store::{ContentStore, MasterKey, Row, contribution_root};
use openledger_model::{Device, ModelConfig};
use openledger_shares::{answer_hash, prompt_hash};
use serde_json::{Value, json};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

const MULTICALL3: Address = address!("cA11bde05977b3631167028862bE2a173976CA11");

fn installed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/node_modules").join(path)
}

/// A chain whose blocks come when asked for. What is sent to the precompiles' places is a transfer.
pub(crate) fn anvil() -> AnvilInstance {
    Anvil::at(installed("@foundry-rs/anvil-linux-amd64/bin/anvil")).arg("--no-mining").spawn()
}

/// A chain with multicall3 and, in the precompiles' places, what a test puts there.
#[derive(Debug)]
pub(crate) struct StubChain {
    anvil: AnvilInstance,
}

impl StubChain {
    pub(crate) async fn start() -> Self {
        let stub = Self { anvil: anvil() };
        let source = std::fs::read_to_string(installed(
            "@eth-optimism/contracts-bedrock/src/libraries/Preinstalls.sol",
        ))
        .unwrap();
        let (_, code) = source.split_once("MultiCall3Code =").unwrap();
        let code = code.split('"').nth(1).unwrap();
        stub.ask("anvil_setCode", json!([MULTICALL3, format!("0x{code}")])).await;
        stub
    }

    pub(crate) fn signer(&self) -> PrivateKeySigner {
        self.anvil.keys()[0].clone().into()
    }

    pub(crate) fn connect(&self) -> Chain {
        Chain::connect(&self.anvil.endpoint(), self.signer()).unwrap()
    }

    pub(crate) async fn ask(&self, method: &'static str, parameters: Value) -> Value {
        let provider: DynProvider =
            ProviderBuilder::default().connect_http(self.anvil.endpoint_url()).erased();
        provider.raw_request(method.into(), parameters).await.unwrap()
    }

    pub(crate) async fn mine(&self, blocks: u64) {
        self.ask("anvil_mine", json!([U256::from(blocks)])).await;
    }

    /// Every call of `address` returns `data`.
    pub(crate) async fn returns(&self, address: Address, data: &[u8]) {
        self.set(address, data, &[], 0xf3).await;
    }

    /// Every call of `address` reverts with `data`.
    pub(crate) async fn reverts(&self, address: Address, data: &[u8]) {
        self.set(address, data, &[], 0xfd).await;
    }

    /// Puts a log of `address` into the next block; its number and the transaction.
    pub(crate) async fn logs(&self, address: Address, topics: &[B256], data: &[u8]) -> (u64, B256) {
        self.set(address, data, topics, 0xa0 + topics.len() as u8).await;
        let transaction = json!([{ "from": self.signer().address(), "to": address, "gas": "0x100000" }]);
        let hash: B256 = serde_json::from_value(self.ask("eth_sendTransaction", transaction).await).unwrap();
        self.mine(1).await;
        let receipt = self.ask("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt["status"], "0x1");
        let block: U256 = serde_json::from_value(receipt["blockNumber"].clone()).unwrap();
        (block.to(), hash)
    }

    /// Code that takes `data` and `topics` to the instruction `last`.
    async fn set(&self, address: Address, data: &[u8], topics: &[B256], last: u8) {
        const PUSH1: u8 = 0x60;
        const PUSH2: u8 = 0x61;
        const PUSH32: u8 = 0x7f;
        const CODECOPY: u8 = 0x39;
        let [high, low] = u16::try_from(data.len()).unwrap().to_be_bytes();
        let ahead = u16::try_from(9 + topics.len() * 33 + 7).unwrap().to_be_bytes();
        let mut code = vec![PUSH2, high, low, PUSH2, ahead[0], ahead[1], PUSH1, 0, CODECOPY];
        for topic in topics.iter().rev() {
            code.push(PUSH32);
            code.extend(topic);
        }
        code.extend([PUSH2, high, low, PUSH1, 0, last, 0]);
        code.extend(data);
        self.ask("anvil_setCode", json!([address, Bytes::from(code)])).await;
    }
}

/// A service on that chain whose model's thread is away.
pub(crate) fn service(folder: &Path, chain: Chain) -> Arc<Shared> {
    service_with(folder, chain, Lab::stopped())
}

/// A service on that chain with that model's thread.
pub(crate) fn service_with(folder: &Path, chain: Chain, lab: Lab) -> Arc<Shared> {
    let master = MasterKey::load_or_create(&folder.join("master.key")).unwrap();
    Arc::new(Shared {
        chain,
        chain_id: 1,
        store: ContentStore::open_local(&folder.join("rows"), master).unwrap(),
        journal: Journal::open(&folder.join("journal.redb")).unwrap(),
        lab,
        base_hash: B256::ZERO,
        model_config: model_config(),
        price: Default::default(),
        split: Default::default(),
        max_answer_tokens: 8,
        operator_token: OperatorToken::load_or_create(&folder.join("operator.token")).unwrap(),
        callers: Callers::load(&folder.join("callers.json")).unwrap(),
        progress: Default::default(),
        previews: Previews::new(true, folder.join("previews")),
        device: Device::Cpu,
        storing: Default::default(),
        work: Default::default(),
        threads: 1,
        models: folder.join("models"),
        evidence: folder.join("evidence"),
        public_url: "http://127.0.0.1:1".into(),
    })
}

/// A node that is away.
pub(crate) fn no_chain() -> Chain {
    Chain::connect("http://127.0.0.1:1", PrivateKeySigner::random()).unwrap()
}

/// Sizes like those of SmolLM2-135M.
pub(crate) fn model_config() -> ModelConfig {
    ModelConfig {
        n_layers: 30,
        d_model: 576,
        n_heads: 9,
        n_kv_heads: 3,
        d_ff: 1_536,
        vocab_size: 49_152,
        context_tokens: 2_048,
        rope_theta: 10_000.0,
        rms_epsilon: 1e-5,
    }
}

/// A model of a few thousand numbers.
pub(crate) fn toy_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/models/toy.gguf")
}

/// Rows of one contribution, no two alike, that the toy model's context holds.
pub(crate) fn toy_rows(n: u32) -> Vec<Row> {
    let word =
        |row: u32, at: u32| format!("{}{}", (b'a' + ((row * 7 + at * 3) % 26) as u8) as char, row * 31 + at);
    let text = |row| (0..9).map(|at| word(row, at)).collect::<Vec<_>>().join(" ");
    (0..n).map(|row| Row { salt: B256::with_last_byte(row as u8), text: text(row) }).collect()
}

const TOY_VERSION: DatasetVersion = DatasetVersion { datanet: 1, version: 1 };

/// Has the service's own code train on rows of contribution 1.
pub(crate) async fn train(lab: &Lab, name: &str, rows: &[Row]) -> ModelRecord {
    let row = |(row, text): (u32, &Row)| DatasetRow {
        place: RowRef { contribution: 1, row },
        datanet: 1,
        priority: 1,
        text: text.text.clone(),
    };
    let rows: Vec<DatasetRow> = (0..).zip(rows).map(row).collect();
    let settings = toy_settings();
    let name = name.to_owned();
    let clusters = clusters(&rows).unwrap();
    let made = lab.run(move |bench| {
        let chosen = ChosenRows::of(&rows, &clusters, &bench.base.tokenizer, bench.base.model.config())?;
        training::make(bench, &name, &settings, vec![TOY_VERSION], chosen, &mut |_| ControlFlow::Continue(()))
    });
    ModelRecord { model: Some(1), ..made.await.unwrap() }
}

/// How [`train`] trains.
pub(crate) fn toy_settings() -> TrainingSettings {
    TrainingSettings {
        rank: Some(2),
        layers: Some(2),
        epochs: Some(6),
        learning_rate: Some(0.02),
        seed: Some(3),
    }
}

/// A record of training on so many rows that nobody ran.
pub(crate) fn trained(rows: usize) -> ModelRecord {
    ModelRecord {
        model: Some(1),
        datasets: vec![],
        adapter_hash: B256::ZERO,
        training_hash: B256::ZERO,
        checkpoint_root: B256::ZERO,
        loss_first: 1.0,
        loss_last: 0.5,
        held_out: vec![],
        rows: vec![RowRef { contribution: 1, row: 0 }; rows],
        duplicates: 0,
        misfits: 0,
        seconds: vec![],
    }
}

/// The case of a made-up receipt of a trained model, whose every part fits the others.
pub(crate) async fn case(lab: &Lab, name: &str, record: &ModelRecord, rows: &[Row]) -> Case {
    let (base, adapter) = {
        let name = name.to_owned();
        let read = lab.ask(move |base, _| {
            Ok((base.model.hash(), std::fs::read(base.folder(&name).join(ADAPTER_FILE)).unwrap()))
        });
        read.await.unwrap()
    };
    let prompt = Row { salt: B256::repeat_byte(9), text: "why?".into() };
    let (answer_salt, answer_tokens) = (B256::repeat_byte(8), vec![70, 71, 72]);
    let facts = Facts {
        chain_id: 1,
        request_id: B256::repeat_byte(7),
        model: 1,
        base,
        adapter_hash: record.adapter_hash,
        method: training::method_hash(),
        band_ppm: 100,
        datasets: vec![TOY_VERSION],
        prompt_hash: prompt_hash(prompt.salt, prompt.text.as_bytes()),
        answer_hash: answer_hash(answer_salt, &answer_tokens),
        score_root: B256::ZERO,
        unattributed_ppm: 1_000_000,
        tail_ppm: 0,
        shares: vec![],
    };
    let contribution = ContributionFacts {
        contribution: 1,
        datanet: 1,
        root: contribution_root(rows).unwrap(),
        rows: rows.len() as u32,
        priority: 1,
    };
    let settings = RunSettings {
        program: "test".into(),
        store: B256::ZERO,
        influence: InfluenceConfig::default().into(),
        shares: ShareConfig::default().into(),
        seed: 3,
        threads: 1,
        device: "Cpu".into(),
        dispatch: Default::default(),
    };
    Case {
        version: 1,
        facts,
        trained_on: vec![TOY_VERSION],
        contributions: vec![CaseContribution { facts: contribution, rows: rows.to_vec() }],
        prompt,
        answer_salt,
        answer_tokens,
        adapter: adapter.into(),
        settings,
    }
}
