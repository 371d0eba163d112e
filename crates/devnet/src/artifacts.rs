//! Compiled contracts: the OP Stack's from the npm package, ours from `contracts/artifacts`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, Bytes, hex};
use serde::Deserialize;

use crate::DevnetError;

const OP_PACKAGE: &str = "node_modules/@eth-optimism/contracts-bedrock";

/// Where compiled contracts are.
#[derive(Debug, Clone)]
pub struct Artifacts {
    contracts_dir: PathBuf,
}

/// A compiled contract without unresolved libraries.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Constructor code; constructor arguments are appended to it.
    pub init_code: Bytes,
    /// Code after construction, with immutables still zero.
    pub deployed_code: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactJson {
    bytecode: Bytecode,
    deployed_bytecode: Bytecode,
}

/// forge writes an object, slim artifacts the hex alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bytecode {
    Hex(String),
    Object { object: String },
}

impl Bytecode {
    fn decode(&self, path: &Path, what: &str) -> Result<Bytes, DevnetError> {
        let (Self::Hex(text) | Self::Object { object: text }) = self;
        let fail = |reason: String| DevnetError::Artifact { path: path.to_owned(), reason };
        let bytes: Bytes = hex::decode(text)
            .map_err(|error| fail(format!("{what} is not plain hex (libraries to link?): {error}")))?
            .into();
        if bytes.is_empty() {
            return Err(fail(format!("{what} is empty: it is an interface or built for lint only")));
        }
        Ok(bytes)
    }
}

impl Artifacts {
    /// Artifacts below `contracts_dir`, the repository's `contracts` folder after set-up.
    pub fn new(contracts_dir: impl Into<PathBuf>) -> Self {
        Self { contracts_dir: contracts_dir.into() }
    }

    /// Looks in `$OPENLEDGER_CONTRACTS`, then `./contracts`, then where this crate was built.
    pub fn find() -> Result<Self, DevnetError> {
        let built_at = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
        let candidates = env::var_os("OPENLEDGER_CONTRACTS")
            .map(PathBuf::from)
            .into_iter()
            .chain([PathBuf::from("contracts"), built_at.clone()]);
        for candidate in candidates {
            if candidate.join(OP_PACKAGE).is_dir() {
                let path = candidate.canonicalize().map_err(DevnetError::io(&candidate))?;
                return Ok(Self::new(path));
            }
        }
        Err(DevnetError::Missing {
            what: "the OP Stack contracts package".to_owned(),
            path: built_at.join(OP_PACKAGE),
            hint: "run `make setup`, or set OPENLEDGER_CONTRACTS to a contracts folder",
        })
    }

    /// The `contracts` folder.
    pub fn contracts_dir(&self) -> &Path {
        &self.contracts_dir
    }

    /// An OP Stack contract.
    pub fn op(&self, name: &str) -> Result<Artifact, DevnetError> {
        let path = format!("{OP_PACKAGE}/forge-artifacts/{name}.sol/{name}.json");
        self.read(name, &path, "run `make setup`")
    }

    /// One of our own contracts.
    pub fn own(&self, name: &str) -> Result<Artifact, DevnetError> {
        let path = format!("artifacts/{name}.json");
        self.read(name, &path, "run `make contracts`")
    }

    /// Source text of an OP Stack contract; `path` is below the package's `src`.
    pub fn op_source(&self, path: &str) -> Result<String, DevnetError> {
        let path = self.contracts_dir.join(OP_PACKAGE).join("src").join(path);
        fs::read_to_string(&path).map_err(DevnetError::io(path))
    }

    fn read(&self, name: &str, relative: &str, hint: &'static str) -> Result<Artifact, DevnetError> {
        let path = self.contracts_dir.join(relative);
        if !path.exists() {
            return Err(DevnetError::Missing { what: format!("contract {name}"), path, hint });
        }
        let text = fs::read_to_string(&path).map_err(DevnetError::io(&path))?;
        let json: ArtifactJson = serde_json::from_str(&text)
            .map_err(|error| DevnetError::Artifact { path: path.clone(), reason: error.to_string() })?;
        Ok(Artifact {
            init_code: json.bytecode.decode(&path, "bytecode")?,
            deployed_code: json.deployed_bytecode.decode(&path, "deployedBytecode")?,
        })
    }
}

impl Artifact {
    /// Constructor code with ABI-encoded `arguments` appended.
    pub fn init_code_with(&self, arguments: &[u8]) -> Bytes {
        [self.init_code.as_ref(), arguments].concat().into()
    }
}

/// One ABI word of an address, the commonest constructor argument.
pub(crate) fn address_word(address: Address) -> [u8; 32] {
    address.into_word().0
}
