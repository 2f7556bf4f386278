//! The unit for systemd, judged by systemd's own tool. Nothing is started.
#![cfg(target_os = "linux")]

use std::path::Path;

use signet_testkit::{Sandbox, peers};

use crate::signet;

#[test]
fn systemd_understands_the_unit_and_finds_it_confined() {
    let Some([analyze]) = peers(["systemd-analyze"]) else { return };
    let sandbox = Sandbox::new();
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd/signet.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    // Its program is not installed here.
    sandbox.write("signet.service", unit.replace("/usr/local/bin/signet", &signet().display().to_string()));

    let judged = sandbox.command(&analyze).args(["verify", "./signet.service"]).output().unwrap();
    let said = String::from_utf8_lossy(&judged.stderr).into_owned();
    assert!(judged.status.success() && !said.contains("signet.service"), "{said}");
    let exposure = ["security", "--offline=true", "--threshold=25", "./signet.service"];
    let judged = sandbox.command(&analyze).args(exposure).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}
