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
    let signing = |number: usize| {
        let bundle = format!("bundle{number}");
        signet(&sandbox, &["sign-blob", "--quiet", "--key", "plain.key", "--bundle", &bundle, "large"])
    };
    let verifying = |_| {
        signet(&sandbox, &["verify-blob", "--quiet", "--key", "plain.pub", "--bundle", "bundle", "large"])
    };
    let works: [(&str, &str, &dyn Fn(usize) -> Command); 2] =
        [("file-sign", "`sign-blob`", &signing), ("file-verify", "`verify-blob`", &verifying)];
    let rows = works.into_iter().map(|(name, command, ours)| {
        let hash = |_| {
            let mut command = sandbox.command(&openssl);
            command.args(["dgst", "-sha256", "large"]);
            command
        };
        let contestants =
            vec![Contestant::program("Signet", ours), Contestant::program("openssl dgst", hash)];
        let row = Row::new(name, &format!("{command} of 8 GiB"), "ms", alternate(runs, contestants));
        let speed = row.of("openssl dgst").value() / row.signet().value();
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

const GIB: u64 = 1 << 30;
