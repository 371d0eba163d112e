//! A whole network: L1 with its contracts, the L2 genesis, and the processes.

use std::{path::PathBuf, time::Duration};

use crate::{
    Account, Accounts, Anvil, AnvilOptions, Artifacts, CommandLine, Deposit, DevnetError, DevnetJson,
    L1Contracts, L1Parameters, L2_CHAIN_ID, L2Genesis, L2Parameters, Layout, Ports, ProcessSpec, Programs,
    Readiness, Roles, Supervisor, Wallet, build_l2_genesis, deploy_l1_contracts, deposit_and_wait, names,
};

/// What to put up, and where.
#[derive(Debug, Clone)]
pub struct DevnetOptions {
    /// The data folder; must not hold an earlier network.
    pub datadir: PathBuf,
    /// Compiled contracts and anvil; see [`Artifacts::find`].
    pub artifacts: Artifacts,
    /// Who listens where.
    pub ports: Ports,
    /// What the roles run.
    pub programs: Programs,
    /// Accounts beside the network's own that `devnet.json` lists.
    pub story_accounts: Vec<Account>,
}

/// A network. Dropping it kills its processes; [`Self::stop`] stops them in order.
#[derive(Debug)]
pub struct Devnet {
    // Fields are dropped in this order: L1 goes last.
    supervisor: Supervisor,
    anvil: Anvil,
    roles: Roles,
    accounts: Accounts,
    deployer: Wallet,
    genesis: L2Genesis,
    description: DevnetJson,
}

impl Devnet {
    /// Starts L1, deploys the contracts, and writes genesis, configuration, keys, ABIs and
    /// `devnet.json`. Runs no process of L2 yet.
    pub async fn prepare(options: DevnetOptions) -> Result<Self, DevnetError> {
        options.ports.ensure_free()?;
        let layout = Layout::create(&options.datadir)?;
        let mut l1 = AnvilOptions::new(options.artifacts.contracts_dir(), layout.log_of("l1"));
        l1.port = Some(options.ports.l1);
        let anvil = Anvil::start(&l1).await?;
        tracing::info!(url = %anvil.http_url(), pid = anvil.pid(), "L1 is up");

        let accounts = Accounts::derive()?;
        let deployer = Wallet::connect(&anvil.http_url(), accounts.deployer.signer.clone()).await?;
        let l1_parameters = L1Parameters::devnet(&accounts, L2_CHAIN_ID);
        let deployment = deploy_l1_contracts(&deployer, &options.artifacts, &l1_parameters).await?;
        tracing::info!(l1_block = deployment.origin.number, "L1 contracts are deployed");

        let l2_parameters = L2Parameters::devnet(&accounts);
        let genesis = build_l2_genesis(&options.artifacts, &deployment, &l1_parameters, &l2_parameters)?;
        let roles = Roles {
            layout,
            ports: options.ports,
            programs: options.programs,
            contracts: deployment.contracts,
        };
        let mut l1_command = CommandLine::new(&l1.binary);
        for argument in l1.args(options.ports.l1) {
            l1_command = l1_command.arg(argument.to_string_lossy());
        }
        let all_accounts = accounts.all().into_iter().chain(&options.story_accounts);
        let description = DevnetJson::new(&roles, l1_command.to_string(), all_accounts);
        write_files(&roles.layout, &genesis, &accounts, &description)?;
        tracing::info!(
            hash = %genesis.rollup.genesis.l2.hash,
            accounts = genesis.genesis.alloc.len(),
            "L2 genesis is written"
        );
        let supervisor = Supervisor::new(roles.layout.clone());
        Ok(Self { supervisor, anvil, roles, accounts, deployer, genesis, description })
    }

    /// Starts the sequencer and what posts its blocks and output roots to L1.
    pub async fn start_chain(&mut self) -> Result<(), DevnetError> {
        let sequencer = Readiness::JsonRpc(self.roles.l2_http());
        self.start(names::SEQUENCER, self.roles.sequencer(), sequencer).await?;
        self.start(names::BATCHER, self.roles.batcher(), Readiness::Running).await?;
        self.start(names::PROPOSER, self.roles.proposer(), Readiness::Running).await
    }

    /// Starts a verifier, which derives the chain from L1 alone.
    pub async fn start_verifier(&mut self) -> Result<(), DevnetError> {
        let ready = Readiness::JsonRpc(self.roles.verifier_http());
        self.start(names::VERIFIER, self.roles.verifier(), ready).await
    }

    /// Starts the attributor; false where its program or model is not known.
    pub async fn start_attributor(&mut self) -> Result<bool, DevnetError> {
        let Some(command) = self.roles.attributor() else { return Ok(false) };
        let ready = Readiness::Http(format!("{}/health", self.roles.attributor_http()));
        self.start(names::ATTRIBUTOR, command, ready).await?;
        Ok(true)
    }

    /// Starts a judge, whose key must be written; does nothing where there is no attributor program.
    pub async fn start_judge(&mut self, account: &str) -> Result<(), DevnetError> {
        match self.roles.judge(account) {
            Some(command) => self.start(&format!("judge-{account}"), command, Readiness::Running).await,
            None => Ok(()),
        }
    }

    async fn start(
        &mut self,
        name: &str,
        command: CommandLine,
        readiness: Readiness,
    ) -> Result<(), DevnetError> {
        self.supervisor.start(ProcessSpec { name: name.to_owned(), command, readiness }).await
    }

    /// Deposits OPEN through the portal and waits until it is on L2.
    pub async fn fund(&self, deposits: &[Deposit], timeout: Duration) -> Result<(), DevnetError> {
        let l2_http = self.roles.l2_http();
        deposit_and_wait(&self.deployer, &self.roles.contracts, deposits, &l2_http, timeout).await
    }

    /// Waits until something that is not started again has ended: L1, or a process given up.
    pub async fn failed(&mut self) -> DevnetError {
        loop {
            tokio::select! {
                error = self.supervisor.failed() => return error,
                () = tokio::time::sleep(Duration::from_millis(500)) => {
                    if let Err(error) = self.anvil.ensure_running() {
                        return error;
                    }
                }
            }
        }
    }

    /// Stops everything in order, L1 last.
    pub async fn stop(self) {
        self.supervisor.stop().await;
        self.anvil.stop().await;
    }

    /// What `devnet.json` says.
    pub const fn description(&self) -> &DevnetJson {
        &self.description
    }

    /// Command lines, ports, folders.
    pub const fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The network's own accounts.
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The L1 contracts.
    pub const fn contracts(&self) -> &L1Contracts {
        &self.roles.contracts
    }

    /// The genesis and rollup configuration.
    pub const fn genesis(&self) -> &L2Genesis {
        &self.genesis
    }

    /// The account on L1 that holds OPEN's supply.
    pub const fn deployer(&self) -> &Wallet {
        &self.deployer
    }

    /// The processes.
    pub const fn supervisor(&mut self) -> &mut Supervisor {
        &mut self.supervisor
    }
}

fn write_files(
    layout: &Layout,
    genesis: &L2Genesis,
    accounts: &Accounts,
    description: &DevnetJson,
) -> Result<(), DevnetError> {
    layout.write_json(&layout.genesis(), &genesis.genesis)?;
    layout.write_json(&layout.rollup(), &genesis.rollup)?;
    layout.write_abis()?;
    for account in [&accounts.batcher, &accounts.proposer, &accounts.sequencer, &accounts.attributor] {
        layout.write_key(account)?;
    }
    layout.write_json(&layout.devnet_json(), description)
}
