//! A service with its clients in a process of its own, which writes down what they are told, a line each. What was
//! written before the process is killed is read to the end: that much was acknowledged.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use signet_store::fs::Disk;

use super::disk::{Fault, FaultAt, Then};
use super::random::Random;

/// The process; killed at the latest when this is dropped.
pub(super) struct Play {
    child: Child,
    lines: Option<JoinHandle<Vec<String>>>,
    /// When it closes, the process ends: it does not outlive the harness.
    _stdin: Option<ChildStdin>,
}

impl Play {
    /// Starts `crash COMMAND DATA LIFE [STEP FAULT]`; with a fault it aborts at that step on the disk.
    pub(super) fn start(
        command: &str,
        data: &Path,
        life: u32,
        abort: Option<(usize, Fault)>,
    ) -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(this);
        child.arg("crash").arg(command).arg(data).arg(life.to_string());
        if let Some((step, fault)) = abort {
            child.arg(step.to_string()).arg(fault.name());
        }
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let lines = thread::spawn(move || whole_lines(stdout));
        Ok(Self { _stdin: child.stdin.take(), child, lines: Some(lines) })
    }

    /// `SIGKILL` after so long: what was told by then. An error if it has ended by itself.
    pub(super) fn kill_after(mut self, time: Duration) -> Result<Vec<String>, String> {
        thread::sleep(time);
        if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
            return Err(format!("it has ended by itself ({status}): {}", self.said()));
        }
        self.child.kill().map_err(|error| error.to_string())?;
        self.child.wait().map_err(|error| error.to_string())?;
        self.told()
    }

    /// Waits until it ends: what was told, and whether it ended well rather than at a fault.
    pub(super) fn until_its_end(mut self) -> Result<(Vec<String>, bool), String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        // An abort is a signal; whatever else is not success is a failure.
        match status.code() {
            Some(0) => Ok((self.told()?, true)),
            None => Ok((self.told()?, false)),
            Some(_) => Err(format!("it has failed: {}", self.said())),
        }
    }

    fn told(&mut self) -> Result<Vec<String>, String> {
        let lines = self.lines.take().ok_or("its lines were read")?;
        lines.join().map_err(|_| "its lines cannot be read".to_owned())
    }

    fn said(&mut self) -> String {
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            // What it said is a help only.
            let _ = stderr.read_to_string(&mut said);
        }
        said
    }
}

/// Kills a service at random instants.
pub(super) struct Killer {
    command: &'static str,
    random: Random,
    longest_micros: u64,
}

impl Killer {
    /// Of the service that `command` plays, which lives so long at most.
    pub(super) fn new(command: &'static str, seed: u64, longest_micros: u64) -> Self {
        Self { command, random: Random::new(seed), longest_micros }
    }

    /// One more life: what was told in it.
    pub(super) async fn life(&mut self, data: &Path, life: u32) -> Result<Vec<String>, String> {
        let play = Play::start(self.command, data, life, None)?;
        let time = Duration::from_micros(self.random.next() % self.longest_micros);
        let lines = tokio::task::spawn_blocking(move || play.kill_after(time)).await;
        lines.map_err(|error| error.to_string())?
    }
}

/// Lets the service that `command` plays abort at each of its steps on the disk, in the middle of it if it is a write, each time
/// in a new directory. `check` is given its data and what it told, and starts it again. How often it was aborted.
pub(super) async fn aborts(
    dir: &Path,
    command: &str,
    check: impl AsyncFn(&Path, Vec<String>) -> Result<(), String>,
) -> Result<usize, String> {
    let mut aborts = 0;
    for fault in [Fault::Io, Fault::Torn] {
        for step in 0.. {
            let why = |why| format!("aborted at step {step}, {}: {why}", fault.name());
            let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
            let data = dir.path().join("data");
            let play = Play::start(command, &data, 0, Some((step, fault))).map_err(why)?;
            let (lines, lived) = play.until_its_end().map_err(why)?;
            check(&data, lines).await.map_err(why)?;
            if lived {
                break;
            }
            aborts += 1;
        }
    }
    Ok(aborts)
}

/// Lets the service that `command` plays live to its own end; what it told.
pub(super) fn whole(command: &str, data: &Path, life: u32) -> Result<Vec<String>, String> {
    // Far beyond the last step: nothing goes wrong.
    Ok(Play::start(command, data, life, Some((usize::MAX, Fault::Io)))?.until_its_end()?.0)
}

impl Drop for Play {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line without its end was not told.
fn whole_lines(output: impl Read) -> Vec<String> {
    let (mut reader, mut lines) = (BufReader::new(output), Vec::new());
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(1..) if line.ends_with('\n') => lines.push(line.trim_end().to_owned()),
            _ => return lines,
        }
    }
}

/// What a process was called with.
pub(super) struct Role<'a> {
    pub(super) data: &'a Path,
    pub(super) life: u32,
    pub(super) disk: Disk,
    /// Whether it is to come to an end by itself.
    pub(super) ends: bool,
}

impl<'a> Role<'a> {
    pub(super) fn parse(args: &'a [&'a str]) -> Result<Self, String> {
        let [data, life, rest @ ..] = args else { return Err("DATA LIFE [STEP FAULT]".to_owned()) };
        let life = life.parse().map_err(|_| "no life")?;
        let disk = match rest {
            [step, fault] => {
                let step = step.parse().map_err(|_| "no step")?;
                Disk::with_faults(Arc::new(FaultAt::new(step, Fault::parse(fault)?, Then::Abort)))
            }
            _ => Disk::default(),
        };
        if rest.is_empty() {
            die_with_the_harness();
        }
        Ok(Self { data: Path::new(data), life, disk, ends: !rest.is_empty() })
    }
}

/// Tells the harness: in one write, so that a line is there whole.
pub(super) fn tell(line: &str) {
    // The harness may have gone; then nobody wants to know.
    let _ =
        std::io::stdout().write_all(format!("{line}\n").as_bytes()).and_then(|()| std::io::stdout().flush());
}

fn die_with_the_harness() {
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::abort();
    });
}
