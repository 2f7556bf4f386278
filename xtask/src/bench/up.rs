//! The whole stack: how soon it is there, and what a signature costs that it has a part in.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use signet_testkit::{Peer, Sandbox, StackServer, peers};

use super::measure::{Contestant, Sample, alternate, milliseconds};
use super::row::{Reach, Row};
use super::served::Served;
use super::stage;

/// The first start on an empty directory, until it says that it serves; and the memory once it rests.
pub(super) fn ready(runs: usize) -> Vec<Row> {
    let series = alternate(runs, vec![Contestant::new("Signet", |_| first_start())]);
    let row = Row::new("up", "`signet up --dev` on an empty directory, until it serves", "ms", series);
    let (took, idle) = (row.signet().value(), row.signet().more(IDLE));
    let row = row.reach("ms", took, Reach::AtMost(1_000.0)).reach("idle MiB", idle, Reach::AtMost(60.0));
    vec![row]
}

fn first_start() -> Sample {
    let sandbox = Sandbox::new();
    let start = Instant::now();
    let stack = StackServer::start(&stage::signet(), &sandbox, "stack");
    let took = milliseconds(start);
    let served = Served::new(stack.id());
    let cpu = served.cpu_ms();
    thread::sleep(REST);
    let sample = Sample { cpu_ms: Some(cpu), peak_mib: Some(served.peak_mib()), ..Sample::of(took) };
    sample.with(IDLE, served.resident_mib())
}

/// Keyless signatures of images and files, whole processes, by the services of one stack.
pub(super) fn keyless_sign(runs: usize) -> Vec<Row> {
    let Some([cosign]) = peers(["cosign"]) else { return Vec::new() };
    let signing = Signing::new(cosign);
    vec![signing.images(runs), signing.files(runs)]
}

/// A stack and a token for it.
struct Signing {
    /// Stopped before its directory goes.
    stack: StackServer,
    sandbox: Sandbox,
    cosign: Peer,
}

impl Signing {
    fn new(cosign: Peer) -> Self {
        let sandbox = Sandbox::new();
        let stack = StackServer::start(&stage::signet(), &sandbox, "stack");
        let token = stack.token(&sandbox, &["--email", "bench@example.com"]);
        sandbox.write("token", token);
        sandbox.write("file", "content");
        Self { stack, sandbox, cosign }
    }

    fn images(&self, runs: usize) -> Row {
        let repository = self.stack.repository("bench");
        let fresh = |signer: &str, run: usize| stage::image(&repository, &format!("{signer}{run}"));
        let sign = |program: &Path, image: String| self.sign(program, &["sign", &image]);
        let series = alternate(
            runs,
            vec![
                Contestant::program("Signet", |run| sign(&stage::signet(), fresh("signet", run))),
                Contestant::program("cosign", |run| sign(self.cosign.as_ref(), fresh("cosign", run))),
            ],
        );
        let work =
            "`sign` by an identity token, whole process, an image in the registry of the same `signet up`";
        bounded(Row::new("keyless-sign", work, "ms", series))
    }

    fn files(&self, runs: usize) -> Row {
        let sign = |program: &Path| {
            // cosign asks before it overwrites one.
            let _ = fs::remove_file(self.sandbox.path("bundle"));
            self.sign(program, &["sign-blob", "--bundle", "bundle", "file"])
        };
        let series = alternate(
            runs,
            vec![
                Contestant::program("Signet", |_| sign(&stage::signet())),
                Contestant::program("cosign", |_| sign(self.cosign.as_ref())),
            ],
        );
        let work = "`sign-blob` by an identity token, whole process, services of one `signet up`";
        bounded(Row::new("keyless-sign-blob", work, "ms", series))
    }

    /// Both programs take the same options.
    fn sign(&self, program: &Path, what: &[&str]) -> Command {
        let mut command = self.sandbox.command(program);
        let services =
            ["--signing-config", self.stack.signing_config(), "--trusted-root", self.stack.trusted_root()];
        command.args(what).args(services).args(["--identity-token", "token", "-y"]);
        command
    }
}

/// Both are bounded alike. CPU time says more than the wall: cosign's is mostly waiting for nothing of ours.
fn bounded(row: Row) -> Row {
    let (ours, theirs) = (row.signet().clone(), row.of("cosign").clone());
    let cpu = ours.cpu_ms().zip(theirs.cpu_ms()).map_or(f64::NAN, |(ours, theirs)| ours / theirs);
    row.reach("CPU time, Signet / cosign", cpu, Reach::AtMost(0.3))
        .reach("ms", ours.value(), Reach::AtMost(20.0))
        .figure("wall time, Signet / cosign", ours.value() / theirs.value())
}

const IDLE: &str = "idle_mib";
/// After which it rests.
const REST: Duration = Duration::from_secs(2);
