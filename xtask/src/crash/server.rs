//! The registry under test: in this process, or in one of its own that can be killed.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use signet_server::registry::{App, Config};
use signet_store::fs::Disk;
use signet_store::registry::{FsRegistry, GcOptions, Limits, RegistryStore};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::disk::{Fault, FaultAt, Then};

/// The hidden task: `crash serve DATA GRACE_SECONDS [STEP torn|whole]`.
pub(super) const COMMAND: &str = "serve";

/// A registry in a process of its own, killed at the latest when this is dropped.
pub(super) struct Process {
    child: Child,
    pub(super) base: String,
    /// When it closes, the process ends: it does not outlive the harness.
    _stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts it with garbage collected all the time; what is younger than the grace is kept.
    pub(super) fn start(data: &Path, grace: Duration, abort: Option<(usize, Fault)>) -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(this);
        command.arg("crash").arg(COMMAND).arg(data).arg(grace.as_secs().to_string());
        if let Some((step, fault)) = abort {
            command.arg(step.to_string()).arg(fault.name());
        }
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no output")?;
        // It may abort before it can say anything.
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        Ok(Self { _stdin: child.stdin.take(), child, base: line.trim().to_owned() })
    }

    /// `SIGKILL`: not one more instruction of it is executed.
    pub(super) fn kill(&mut self) -> Result<(), String> {
        self.child.kill().and_then(|()| self.child.wait().map(drop)).map_err(|error| error.to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill();
    }
}

/// Runs the registry until standard input ends.
#[expect(clippy::print_stdout, reason = "the parent reads the address there")]
pub(super) async fn serve(args: &[&str]) -> Result<(), String> {
    let (data, grace, rest) = match args {
        [data, grace, rest @ ..] => (Path::new(data), grace.parse().map_err(|_| "no grace")?, rest),
        _ => return Err("crash serve DATA GRACE [STEP FAULT]".to_owned()),
    };
    let disk = match rest {
        [step, fault] => {
            let step = step.parse().map_err(|_| "no step")?;
            Disk::with_faults(Arc::new(FaultAt::new(step, Fault::parse(fault)?, Then::Abort)))
        }
        _ => Disk::default(),
    };
    let app = build(data, disk).await?;
    println!("http://{}", app.local_addr());
    if rest.is_empty() {
        tokio::spawn(collect_garbage(app.store().clone(), Duration::from_secs(grace)));
    }
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        drop(stop);
    });
    app.run(async { drop(stopped.await) }).await;
    Ok(())
}

async fn collect_garbage(store: FsRegistry, grace: Duration) {
    loop {
        if store.collect_garbage(GcOptions { grace, ..GcOptions::default() }).await.is_err() {
            std::process::abort();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A registry in this process.
pub(super) struct Local {
    pub(super) base: String,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Local {
    pub(super) async fn start(data: &Path, disk: Disk) -> Result<Self, String> {
        let app = build(data, disk).await?;
        let base = format!("http://{}", app.local_addr());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(app.run(async { drop(stopped.await) }));
        Ok(Self { base, stop, served })
    }

    pub(super) async fn stop(self) -> Result<(), String> {
        drop(self.stop);
        self.served.await.map_err(|error| error.to_string())
    }
}

/// Checks the whole directory, which nobody serves; how much content it has.
pub(super) async fn fsck(data: &Path) -> Result<usize, String> {
    let store =
        FsRegistry::open(data, Limits::default()).map_err(|error| format!("it does not start: {error}"))?;
    let report = store.fsck().await.map_err(|error| format!("fsck: {error}"))?;
    match report.findings.as_slice() {
        [] => Ok(report.contents),
        findings => {
            Err(findings.iter().map(|finding| format!("fsck: {finding}")).collect::<Vec<_>>().join("\n"))
        }
    }
}

async fn build(data: &Path, disk: Disk) -> Result<App, String> {
    let mut config = Config::new(data.to_owned(), ([127, 0, 0, 1], 0).into());
    config.disk = disk;
    config.build().await.map_err(|error| format!("it does not start: {error}"))
}
