//! Signing and verifying a file that does not fit in memory.

use std::fs::File;
use std::process::Command;

use signet_testkit::{Outcome, Peer, Sandbox, peers};

use super::measure::{Contestant, alternate, process};
use super::row::{Reach, Row};
use super::stage;

/// The file is sparse: its zeros cost a hash as much as other bytes, and no disk stands in between.
pub(super) fn rows(runs: usize) -> Vec<Row> {
    let Some([openssl, cosign]) = peers(["openssl", "cosign"]) else { return Vec::new() };
    let sandbox = Sandbox::new();
    for (name, bytes) in [("large", 8 * GIB), ("small", GIB)] {
        let file = File::create(sandbox.path(name)).expect("the sandbox can be written");
        file.set_len(bytes).expect("a sparse file can be made");
    }
    for key in [&["--no-password", "--out", "plain"][..], &["--out", "sealed"]] {
        run(&sandbox, &[&["keys", "generate"], key].concat());
    }
    run(&sandbox, &["sign-blob", "--key", "plain.key", "--bundle", "bundle", "large"]);
    let cosign_peak = cosign_peak(&sandbox, &cosign);
    let sign = Contestant::program("Signet", |run| {
        let bundle = format!("bundle{run}");
        signet(&sandbox, &["sign-blob", "--quiet", "--key", "plain.key", "--bundle", &bundle, "large"])
    });
    let verify = Contestant::program("Signet", |_| {
        signet(&sandbox, &["verify-blob", "--quiet", "--key", "plain.pub", "--bundle", "bundle", "large"])
    });
    let works = [("file-sign", "`sign-blob`", sign), ("file-verify", "`verify-blob`", verify)];
    let rows = works.into_iter().map(|(name, command, ours)| {
        let hash = Contestant::program(OPENSSL, |_| {
            let mut hash = sandbox.command(&openssl);
            hash.args(["dgst", "-sha256", "large"]);
            hash
        });
        let row = Row::new(name, &format!("{command} of 8 GiB"), "ms", alternate(runs, vec![ours, hash]));
        let speed = row.of(OPENSSL).value() / row.signet().value();
        let peak = row.signet().peak_mib().unwrap_or(f64::NAN);
        row.reach("speed, Signet / openssl dgst -sha256", speed, Reach::AtLeast(0.95))
            .reach("peak MiB", peak, Reach::AtMost(32.0))
            .figure("peak MiB of cosign sign-blob of 1 GiB", cosign_peak)
    });
    rows.collect()
}

/// cosign reads a file whole; an eighth of ours shows it.
fn cosign_peak(sandbox: &Sandbox, cosign: &Peer) -> f64 {
    let flags = ["--use-signing-config=false", "--tlog-upload=false"];
    let mut command = sandbox.command(cosign);
    command.args(["sign-blob", "--yes", "--key", "sealed.key", "--bundle", "by-cosign"]).args(flags);
    process({
        command.arg("small");
        command
    })
    .peak_mib
    .unwrap_or(f64::NAN)
}

fn signet(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.command(stage::signet());
    command.args(args);
    command
}

fn run(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    sandbox.run(stage::signet(), args).succeeds()
}

const OPENSSL: &str = "openssl dgst";
const GIB: u64 = 1 << 30;
