//! Child processes that never outlive this one.
//!
//! Each child leads its own process group, so a Ctrl-C in the terminal reaches only this process,
//! which then stops the children in order. Against an unclean death of this process the kernel's
//! parent-death signal is set through `setpriv`. That signal is bound to the *thread* that spawned
//! the child, so all spawning happens on one thread that lives as long as the process.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::DevnetError;

const SETPRIV: &str = "/usr/bin/setpriv";
/// How much of the end of a log is looked at.
const LAST_WORDS_BYTES: u64 = 2_048;
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What to run.
#[derive(Debug, Clone)]
pub(crate) struct ChildCommand<'a> {
    pub(crate) name: &'a str,
    pub(crate) program: &'a Path,
    pub(crate) args: &'a [OsString],
    /// Takes stdout and stderr; appended to, so that a restart keeps what was said before.
    pub(crate) log: &'a Path,
    /// What the kernel sends the child when this process dies without stopping it.
    pub(crate) on_parent_death: &'static str,
}

/// A running child; dropping it kills its whole process group.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    name: String,
    log: PathBuf,
    child: Child,
    exited: bool,
}

impl ChildProcess {
    pub(crate) fn spawn(command: ChildCommand<'_>) -> Result<Self, DevnetError> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(command.log)
            .map_err(DevnetError::io(command.log))?;
        let log_too = log.try_clone().map_err(DevnetError::io(command.log))?;
        let mut process = if Path::new(SETPRIV).exists() {
            let mut process = Command::new(SETPRIV);
            process.args(["--pdeathsig", command.on_parent_death, "--"]).arg(command.program);
            process
        } else {
            Command::new(command.program)
        };
        process.args(command.args).stdin(Stdio::null()).stdout(log).stderr(log_too).process_group(0);
        let child = spawn_on_lasting_thread(process).map_err(|error| DevnetError::Process {
            name: command.name.to_owned(),
            reason: format!("starting {}: {error}", command.program.display()),
        })?;
        Ok(Self { name: command.name.to_owned(), log: command.log.to_owned(), child, exited: false })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit status once the child has ended, without waiting for it.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().ok().flatten();
        self.exited |= status.is_some();
        status
    }

    /// Fails if the child has ended, saying where to look.
    pub(crate) fn ensure_running(&mut self) -> Result<(), DevnetError> {
        match self.exit_status() {
            None => Ok(()),
            Some(status) => Err(DevnetError::Process {
                name: self.name.clone(),
                reason: format!(
                    "ended with {status}{}; its log is {}",
                    self.last_words(),
                    self.log.display()
                ),
            }),
        }
    }

    /// The last line of its log, which is likely to say why it ended.
    fn last_words(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut log = fs::File::open(&self.log)?;
            let bytes = log.metadata()?.len();
            log.seek(SeekFrom::Start(bytes.saturating_sub(LAST_WORDS_BYTES)))?;
            let mut end = Vec::new();
            log.take(LAST_WORDS_BYTES).read_to_end(&mut end)?;
            Ok(end)
        };
        let end = read().unwrap_or_default();
        let end = String::from_utf8_lossy(&end);
        let last = end.lines().rev().map(str::trim).find(|line| !line.is_empty());
        last.map_or_else(String::new, |line| format!(" ({line})"))
    }

    /// Asks the child to end, and kills it after `grace`.
    pub(crate) async fn terminate(mut self, grace: Duration) {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + grace;
        while self.exit_status().is_none() {
            if Instant::now() >= deadline {
                tracing::warn!(process = %self.name, ?grace, "did not end in time, killing it");
                break;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn signal(&self, signal: Signal) {
        if !self.exited
            && let Ok(pid) = i32::try_from(self.child.id())
        {
            // The child leads its group, so the group's id is its own.
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if self.exit_status().is_none() {
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

type SpawnRequest = (Command, mpsc::SyncSender<io::Result<Child>>);

fn spawn_on_lasting_thread(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<SpawnRequest>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts processes has ended");
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<SpawnRequest>();
        thread::spawn(move || {
            for (mut command, reply) in requests {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, result) = mpsc::sync_channel(1);
    spawner.send((command, reply)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sh<'a>(args: &'a [OsString], log: &'a Path) -> ChildCommand<'a> {
        ChildCommand { name: "sh", program: Path::new("/bin/sh"), args, log, on_parent_death: "KILL" }
    }

    fn is_running(pid: i32) -> bool {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn dropping_a_child_kills_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let args = ["-c".into(), "sleep 1000 & echo $!; wait".into()];
        let child = ChildProcess::spawn(sh(&args, &log)).unwrap();
        let grandchild = loop {
            if let Ok(pid) = fs::read_to_string(&log).unwrap().trim().parse::<i32>() {
                break pid;
            }
            thread::sleep(Duration::from_millis(10));
        };
        assert!(is_running(grandchild));
        drop(child);
        let deadline = Instant::now() + Duration::from_secs(5);
        while is_running(grandchild) {
            assert!(Instant::now() < deadline, "an orphan stays behind");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[tokio::test]
    async fn child_that_ignores_sigterm_is_killed_after_the_grace() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let args = ["-c".into(), "trap '' TERM; echo up; while :; do sleep 0.1; done".into()];
        let child = ChildProcess::spawn(sh(&args, &log)).unwrap();
        while fs::read_to_string(&log).unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let pid = i32::try_from(child.pid()).unwrap();
        child.terminate(Duration::from_millis(200)).await;
        assert!(!is_running(pid));
    }

    #[test]
    fn child_that_ended_is_reported_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let args = ["-c".into(), "echo up; echo no libtorch here >&2; exit 3".into()];
        let mut child = ChildProcess::spawn(sh(&args, &log)).unwrap();
        while child.exit_status().is_none() {
            thread::sleep(Duration::from_millis(10));
        }
        let message = child.ensure_running().unwrap_err().to_string();
        assert!(
            message.contains("exit status: 3 (no libtorch here)") && message.contains("log"),
            "{message}"
        );
    }
}
