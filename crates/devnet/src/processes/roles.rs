//! The command line of each role, run by the supervisor and printed in `devnet.json`.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use alloy_primitives::B256;

use super::CommandLine;
use crate::{DevnetError, L1Contracts, Layout, anvil::free_port};

/// Names of the roles, in the order in which they start.
pub mod names {
    /// Builds blocks and serves users.
    pub const SEQUENCER: &str = "sequencer";
    /// Posts batches to L1.
    pub const BATCHER: &str = "batcher";
    /// Posts output roots to L1.
    pub const PROPOSER: &str = "proposer";
    /// Derives the chain from L1 alone.
    pub const VERIFIER: &str = "verifier";
    /// Answers questions and says which data shaped the answers.
    pub const ATTRIBUTOR: &str = "attributor";
}

/// Ports of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePorts {
    /// JSON-RPC over HTTP.
    pub http: u16,
    /// JSON-RPC over WebSocket.
    pub ws: u16,
    /// The Engine API.
    pub authrpc: u16,
    /// Metrics.
    pub metrics: u16,
}

/// Every port of the network, all on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// L1.
    pub l1: u16,
    /// The sequencer's.
    pub sequencer: NodePorts,
    /// The verifier's.
    pub verifier: NodePorts,
    /// The attributor's HTTP.
    pub attributor: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            l1: 8545,
            sequencer: NodePorts { http: 9545, ws: 9546, authrpc: 9551, metrics: 9560 },
            verifier: NodePorts { http: 9645, ws: 9646, authrpc: 9651, metrics: 9660 },
            attributor: 9700,
        }
    }
}

impl Ports {
    /// Consecutive ports from `base`, ten of them.
    pub const fn from_base(base: u16) -> Self {
        Self {
            l1: base,
            sequencer: NodePorts {
                http: base.saturating_add(1),
                ws: base.saturating_add(2),
                authrpc: base.saturating_add(3),
                metrics: base.saturating_add(4),
            },
            verifier: NodePorts {
                http: base.saturating_add(5),
                ws: base.saturating_add(6),
                authrpc: base.saturating_add(7),
                metrics: base.saturating_add(8),
            },
            attributor: base.saturating_add(9),
        }
    }

    /// Ports on which nothing listens just now.
    pub fn free() -> Result<Self, DevnetError> {
        let node = || {
            Ok::<_, DevnetError>(NodePorts {
                http: free_port()?,
                ws: free_port()?,
                authrpc: free_port()?,
                metrics: free_port()?,
            })
        };
        Ok(Self { l1: free_port()?, sequencer: node()?, verifier: node()?, attributor: free_port()? })
    }
}

impl Ports {
    /// Fails, naming the port, where another program listens already.
    pub fn ensure_free(&self) -> Result<(), DevnetError> {
        let node = |ports: NodePorts| [ports.http, ports.ws, ports.authrpc, ports.metrics];
        let sequencer = node(self.sequencer).map(|port| (port, names::SEQUENCER));
        let verifier = node(self.verifier).map(|port| (port, names::VERIFIER));
        let others = [(self.l1, "L1"), (self.attributor, names::ATTRIBUTOR)];
        for (port, role) in others.into_iter().chain(sequencer).chain(verifier) {
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                return Err(DevnetError::PortInUse { port, role });
            }
        }
        Ok(())
    }
}

/// The programs that roles run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// `openledger`, which runs node, batcher and proposer.
    pub openledger: PathBuf,
    /// `attributor`, if one is to run.
    pub attributor: Option<PathBuf>,
    /// The attributor's model, a GGUF file.
    pub model: Option<PathBuf>,
}

/// Everything that command lines are made of.
#[derive(Debug, Clone)]
pub struct Roles {
    /// Where files are.
    pub layout: Layout,
    /// Who listens where.
    pub ports: Ports,
    /// What to run.
    pub programs: Programs,
    /// The L1 contracts.
    pub contracts: L1Contracts,
}

impl Roles {
    fn url(port: u16) -> String {
        format!("http://127.0.0.1:{port}")
    }

    /// L1's JSON-RPC, which serves blobs too.
    pub fn l1_http(&self) -> String {
        Self::url(self.ports.l1)
    }

    /// The sequencer's JSON-RPC.
    pub fn l2_http(&self) -> String {
        Self::url(self.ports.sequencer.http)
    }

    /// The sequencer's WebSocket.
    pub fn l2_ws(&self) -> String {
        format!("ws://127.0.0.1:{}", self.ports.sequencer.ws)
    }

    /// The verifier's JSON-RPC.
    pub fn verifier_http(&self) -> String {
        Self::url(self.ports.verifier.http)
    }

    /// The attributor's HTTP.
    pub fn attributor_http(&self) -> String {
        Self::url(self.ports.attributor)
    }

    /// The sequencer's command line.
    pub fn sequencer(&self) -> CommandLine {
        self.node(names::SEQUENCER, self.ports.sequencer)
    }

    /// The verifier's command line: it knows the sequencer only to pass transactions on.
    pub fn verifier(&self) -> CommandLine {
        self.node(names::VERIFIER, self.ports.verifier).flag("--rollup.sequencer-http", self.l2_http())
    }

    fn node(&self, role: &str, ports: NodePorts) -> CommandLine {
        CommandLine::new(&self.programs.openledger)
            .arg("node")
            .flag("--role", role)
            .flag("--datadir", self.layout.data_of(role).display())
            .flag("--chain", self.layout.genesis().display())
            .flag("--rollup-config", self.layout.rollup().display())
            .flag("--http.port", ports.http)
            .flag("--ws.port", ports.ws)
            .flag("--authrpc.port", ports.authrpc)
            .flag("--l1.rpc", self.l1_http())
            .flag("--l1.beacon", self.l1_http())
            .flag("--metrics", format!("127.0.0.1:{}", ports.metrics))
    }

    /// The batcher's command line.
    pub fn batcher(&self) -> CommandLine {
        self.poster(names::BATCHER).flag("--rollup-config", self.layout.rollup().display())
    }

    /// The proposer's command line.
    pub fn proposer(&self) -> CommandLine {
        self.poster(names::PROPOSER).flag("--l2oo-address", self.contracts.l2_output_oracle)
    }

    fn poster(&self, role: &str) -> CommandLine {
        CommandLine::new(&self.programs.openledger)
            .arg(role)
            .flag("--l1.rpc", self.l1_http())
            .flag("--l2.rpc", self.l2_http())
            .flag("--private-key-file", self.layout.key_of(role).display())
    }

    /// A judge's command line, by the name of its key.
    pub fn judge(&self, account: &str) -> Option<CommandLine> {
        let model = self.programs.model.as_ref()?;
        Some(
            self.as_account("judge", account)?
                .flag("--evidence-key-file", self.evidence_key_of(account).display())
                .flag("--datadir", self.layout.data_of(&format!("judge-{account}")).display())
                .flag("--model", model.display()),
        )
    }

    /// Prints a judge's public key for evidence.
    pub fn judge_key(&self, account: &str) -> Option<CommandLine> {
        let command = CommandLine::new(self.programs.attributor.as_ref()?).arg("judge-key");
        Some(command.flag("--evidence-key-file", self.evidence_key_of(account).display()))
    }

    /// Puts a judge's stake up without judging.
    pub fn judge_stake(&self, account: &str) -> Option<CommandLine> {
        self.as_account("stake", account)
    }

    /// Names a model's judges, from a file.
    pub fn appoint(&self, model: u64, judges: &Path) -> Option<CommandLine> {
        let command = self.as_account("appoint", names::ATTRIBUTOR)?;
        Some(command.flag("--model", model).flag("--judges", judges.display()))
    }

    /// Runs a receipt again.
    pub fn verify(&self, receipt: B256) -> Option<CommandLine> {
        let command = CommandLine::new(self.programs.attributor.as_ref()?).arg("verify");
        self.with_case(command.flag("--receipt", receipt).flag("--l2.rpc", self.l2_http()))
    }

    /// Challenges a receipt, after running it again where that is asked for.
    pub fn challenge(&self, account: &str, receipt: B256, run_again: bool) -> Option<CommandLine> {
        let command = self.as_account("challenge", account)?.flag("--receipt", receipt);
        if run_again { self.with_case(command) } else { Some(command) }
    }

    fn as_account(&self, command: &str, account: &str) -> Option<CommandLine> {
        Some(
            CommandLine::new(self.programs.attributor.as_ref()?)
                .arg(command)
                .flag("--l2.rpc", self.l2_http())
                .flag("--private-key-file", self.layout.key_of(account).display()),
        )
    }

    fn with_case(&self, command: CommandLine) -> Option<CommandLine> {
        let token = self.layout.data_of(names::ATTRIBUTOR).join("operator.token");
        Some(
            command
                .flag("--model", self.programs.model.as_ref()?.display())
                .flag("--attributor", self.attributor_http())
                .flag("--operator-token-file", token.display()),
        )
    }

    fn evidence_key_of(&self, account: &str) -> PathBuf {
        self.layout.key_of(&format!("{account}.x25519"))
    }

    /// The attributor's command line, where there is a program and a model for it.
    pub fn attributor(&self) -> Option<CommandLine> {
        let (program, model) = (self.programs.attributor.as_ref()?, self.programs.model.as_ref()?);
        let role = names::ATTRIBUTOR;
        Some(
            CommandLine::new(program)
                .flag("--datadir", self.layout.data_of(role).display())
                .flag("--l2.rpc", self.l2_http())
                .flag("--http.port", self.ports.attributor)
                .flag("--private-key-file", self.layout.key_of(role).display())
                .flag("--model", model.display()),
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn port_that_another_program_listens_on_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut ports = Ports::free().unwrap();
        ports.ensure_free().unwrap();
        ports.verifier.ws = taken.local_addr().unwrap().port();
        let refused = ports.ensure_free().unwrap_err().to_string();
        assert!(
            refused.contains(&ports.verifier.ws.to_string()) && refused.contains("verifier"),
            "{refused}"
        );
    }
}
