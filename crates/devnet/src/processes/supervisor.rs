//! Starts processes, sees that they answer, starts them again when they die, stops them in order.

use std::{
    ffi::OsString,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_provider::Provider;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{CommandLine, backoff::Backoff};
use crate::{
    DevnetError, Layout,
    child::{ChildCommand, ChildProcess},
    wallet::connect,
};

const CHECK_INTERVAL: Duration = Duration::from_millis(100);
const READY_TIMEOUT: Duration = Duration::from_secs(180);
/// How long a process without an endpoint must have run to count as started.
const SETTLE_TIME: Duration = Duration::from_millis(500);
const STOP_GRACE: Duration = Duration::from_secs(20);

/// How a process shows that it is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Answers `eth_chainId` at this URL.
    JsonRpc(String),
    /// Answers GET of this URL with success.
    Http(String),
    /// Has no endpoint: it counts as ready once it has run for a moment.
    Running,
}

/// A process to keep running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSpec {
    /// Names log, pid file and messages.
    pub name: String,
    /// What to run.
    pub command: CommandLine,
    /// How it shows that it is ready.
    pub readiness: Readiness,
}

/// How a process is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Its id, while it runs.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
}

/// Keeps processes running. Dropping it kills them; [`Self::stop`] stops them in order.
#[derive(Debug)]
pub struct Supervisor {
    layout: Layout,
    supervised: Vec<Supervised>,
    failed: mpsc::Receiver<DevnetError>,
    report_failure: mpsc::Sender<DevnetError>,
}

#[derive(Debug)]
struct Supervised {
    name: String,
    stop: oneshot::Sender<()>,
    status: watch::Receiver<ProcessStatus>,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// With logs and pid files in `layout`.
    pub fn new(layout: Layout) -> Self {
        let (report_failure, failed) = mpsc::channel(16);
        Self { layout, supervised: Vec::new(), failed, report_failure }
    }

    /// Starts a process and waits until it is ready. A process that dies before is not tried again:
    /// its command is wrong or its port taken, and waiting would hide that.
    pub async fn start(&mut self, spec: ProcessSpec) -> Result<(), DevnetError> {
        let mut running = Running::spawn(Arc::new(spec), self.layout.clone())?;
        running.wait_until_ready().await?;
        let (stop, stopped) = oneshot::channel();
        let (report, status) = watch::channel(running.status());
        self.supervised.push(Supervised {
            name: running.spec.name.clone(),
            stop,
            status,
            task: tokio::spawn(running.keep(stopped, report, self.report_failure.clone())),
        });
        Ok(())
    }

    /// How the process `name` is doing, if it was started.
    pub fn status(&self, name: &str) -> Option<ProcessStatus> {
        let process = self.supervised.iter().find(|process| process.name == name)?;
        Some(process.status.borrow().clone())
    }

    /// Waits until a process has died so often that it is given up.
    pub async fn failed(&mut self) -> DevnetError {
        self.failed.recv().await.unwrap_or_else(|| DevnetError::Process {
            name: "supervisor".to_owned(),
            reason: "has ended".to_owned(),
        })
    }

    /// Stops all processes, the last started first.
    pub async fn stop(mut self) {
        while let Some(process) = self.supervised.pop() {
            let _ = process.stop.send(());
            if process.task.await.is_err() {
                tracing::error!(process = %process.name, "its supervision ended early");
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Dropping a task drops its child, which kills it.
        for process in &self.supervised {
            process.task.abort();
        }
    }
}

struct Running {
    spec: Arc<ProcessSpec>,
    layout: Layout,
    child: ChildProcess,
    started: Instant,
    restarts: u32,
}

impl Running {
    fn spawn(spec: Arc<ProcessSpec>, layout: Layout) -> Result<Self, DevnetError> {
        let child = spawn(&spec, &layout)?;
        Ok(Self { spec, layout, child, started: Instant::now(), restarts: 0 })
    }

    fn status(&self) -> ProcessStatus {
        ProcessStatus { pid: Some(self.child.pid()), restarts: self.restarts }
    }

    async fn wait_until_ready(&mut self) -> Result<(), DevnetError> {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            self.child.ensure_running()?;
            if is_ready(&self.spec.readiness, self.started).await {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(DevnetError::Timeout {
                    what: format!(
                        "{} to be ready (see {})",
                        self.spec.name,
                        self.layout.log_of(&self.spec.name).display()
                    ),
                    seconds: READY_TIMEOUT.as_secs(),
                });
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    /// Runs until told to stop, or until the process has died too often.
    async fn keep(
        mut self,
        mut stopped: oneshot::Receiver<()>,
        report: watch::Sender<ProcessStatus>,
        report_failure: mpsc::Sender<DevnetError>,
    ) {
        let mut backoff = Backoff::default();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                () = tokio::time::sleep(CHECK_INTERVAL) => {}
            }
            let Some(exit) = self.child.exit_status() else { continue };
            let name = self.spec.name.clone();
            report.send_replace(ProcessStatus { pid: None, restarts: self.restarts });
            let Some(delay) = backoff.after_death(self.started.elapsed()) else {
                let log = self.layout.log_of(&name);
                let reason = format!("died again and again, last with {exit}; its log is {}", log.display());
                let _ = report_failure.try_send(DevnetError::Process { name, reason });
                break;
            };
            tracing::warn!(process = %name, %exit, ?delay, "died, starting it again");
            tokio::select! {
                _ = &mut stopped => break,
                () = tokio::time::sleep(delay) => {}
            }
            match spawn(&self.spec, &self.layout) {
                Ok(child) => {
                    self.child = child;
                    self.started = Instant::now();
                    self.restarts += 1;
                    report.send_replace(self.status());
                }
                Err(error) => {
                    let _ = report_failure.try_send(error);
                    break;
                }
            }
        }
        let _ = fs::remove_file(self.layout.pid_of(&self.spec.name));
        self.child.terminate(STOP_GRACE).await;
    }
}

fn spawn(spec: &ProcessSpec, layout: &Layout) -> Result<ChildProcess, DevnetError> {
    let args: Vec<OsString> = spec.command.args.iter().map(OsString::from).collect();
    if !spec.command.program.exists() {
        return Err(DevnetError::Missing {
            what: format!("the program of {}", spec.name),
            path: spec.command.program.clone(),
            hint: "run `make build`",
        });
    }
    let child = ChildProcess::spawn(ChildCommand {
        name: &spec.name,
        program: &spec.command.program,
        args: &args,
        log: &layout.log_of(&spec.name),
        on_parent_death: "TERM",
    })?;
    let pid_file = layout.pid_of(&spec.name);
    fs::write(&pid_file, format!("{}\n", child.pid())).map_err(DevnetError::io(pid_file))?;
    tracing::info!(process = %spec.name, pid = child.pid(), "started");
    Ok(child)
}

async fn is_ready(readiness: &Readiness, started: Instant) -> bool {
    match readiness {
        Readiness::JsonRpc(url) => match connect(url) {
            Ok(provider) => provider.get_chain_id().await.is_ok(),
            Err(_) => false,
        },
        Readiness::Http(url) => reqwest::get(url).await.is_ok_and(|response| response.status().is_success()),
        Readiness::Running => started.elapsed() >= SETTLE_TIME,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    use super::*;

    fn shell(name: &str, script: &str) -> ProcessSpec {
        ProcessSpec {
            name: name.to_owned(),
            command: CommandLine::new("/bin/sh").arg("-c").arg(script),
            readiness: Readiness::Running,
        }
    }

    fn pid_in(layout: &Layout, name: &str) -> Option<i32> {
        fs::read_to_string(layout.pid_of(name)).ok()?.trim().parse().ok()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn killed_process_is_started_again_and_stop_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        let mut supervisor = Supervisor::new(layout.clone());
        supervisor.start(shell("sleeper", "exec sleep 1000")).await.unwrap();
        let first = pid_in(&layout, "sleeper").unwrap();
        kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while supervisor.status("sleeper").unwrap().restarts == 0 {
            assert!(Instant::now() < deadline, "not started again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let second = pid_in(&layout, "sleeper").unwrap();
        assert_ne!(first, second);
        supervisor.stop().await;
        assert_eq!(pid_in(&layout, "sleeper"), None);
        assert!(kill(Pid::from_raw(second), None).is_err(), "still there");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn process_that_dies_at_once_is_an_error_that_names_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        let mut supervisor = Supervisor::new(layout);
        let error = supervisor.start(shell("broken", "exit 2")).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 2") && error.contains("broken.log"), "{error}");
    }
}
