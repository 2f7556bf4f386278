//! `sign` and `verify` of images, whole processes against registries on loopback.

use std::thread;

use signet_testkit::RegistryServer;

use super::floor;
use super::measure::{Contestant, alternate};
use super::row::{Reach, Row};
use super::stage::{self, PLAIN, PLAIN_PUBLIC, SEALED, SEALED_PUBLIC, Stage, image};
use super::tap::Tap;

/// One image with one signature of each signer, verified by the key of each.
pub(super) fn verify(runs: usize) -> Vec<Row> {
    let Some(stage) = Stage::new() else { return Vec::new() };
    let rows = [
        ("verify", "against docker-registry, without referrers", stage.docker_registry(), 5.0),
        ("verify-referrers", "against Signet's registry, with referrers", stage.signet_registry(), 4.0),
    ];
    rows.into_iter()
        .map(|(name, place, server, most)| verify_at(&stage, name, place, &server, most, runs))
        .collect()
}

fn verify_at(stage: &Stage, name: &str, place: &str, server: &RegistryServer, most: f64, runs: usize) -> Row {
    // To each an image of its own: nobody reads what another signer left.
    let [by_signet, by_cosign, by_notation] =
        ["signet", "cosign", "notation"].map(|signer| image(&server.repository(signer), signer));
    Stage::prepare(stage.signet_signs(PLAIN, &by_signet));
    Stage::prepare(stage.cosign_signs(&by_cosign));
    Stage::prepare(stage.notation_signs(&by_notation));
    let series = alternate(
        runs,
        vec![
            Contestant::program("Signet", |_| stage.signet_verifies(PLAIN_PUBLIC, &by_signet)),
            Contestant::program("notation", |_| stage.notation_verifies(&by_notation)),
            Contestant::program("cosign", |_| stage.cosign_verifies(SEALED_PUBLIC, &by_cosign)),
        ],
    );
    let tap = Tap::before(server.address());
    let tapped = by_signet.replace(server.address(), &tap.address());
    Stage::prepare(stage.signet_verifies(PLAIN_PUBLIC, &tapped));
    let requests = tap.requests();
    let work = format!("`verify --key`, one signature, whole process, {place}");
    Row::new(name, &work, "ms", series)
        .floor(
            "a process that does nothing, the requests one after another, one P-256 check",
            floor::process() + requests * floor::request(server.address()) + floor::checks(1),
        )
        .ratio("notation", Reach::AtMost(0.5))
        .ratio("cosign", Reach::AtMost(0.2))
        .reach("requests", requests, Reach::AtMost(most))
}

/// A new image each time: signing again with the same key would have nothing to do.
pub(super) fn sign(runs: usize) -> Vec<Row> {
    let Some(stage) = Stage::new() else { return Vec::new() };
    let rows = [
        ("sign", "against docker-registry, without referrers", stage.docker_registry()),
        ("sign-referrers", "against Signet's registry, with referrers", stage.signet_registry()),
    ];
    rows.into_iter().map(|(name, place, server)| sign_at(&stage, name, place, &server, runs)).collect()
}

fn sign_at(stage: &Stage, name: &str, place: &str, server: &RegistryServer, runs: usize) -> Row {
    let fresh = |signer: &str, run: usize| image(&server.repository(signer), &format!("image{run}"));
    let series = alternate(
        runs,
        vec![
            Contestant::program("Signet", |run| stage.signet_signs(PLAIN, &fresh("signet", run))),
            Contestant::program("notation", |run| stage.notation_signs(&fresh("notation", run))),
            Contestant::program("cosign", |run| stage.cosign_signs(&fresh("cosign", run))),
            Contestant::program(SEALED_SERIES, |run| stage.signet_signs(SEALED, &fresh("sealed", run))),
            Contestant::program(SCRYPT_SERIES, |_| stage.command(&stage::this(), &["bench", SCRYPT])),
        ],
    );
    let tap = Tap::before(server.address());
    let tapped = image(&server.repository("tapped"), "tapped").replace(server.address(), &tap.address());
    Stage::prepare(stage.signet_signs(PLAIN, &tapped));
    let requests = tap.requests();
    let work = format!("`sign`, P-256 key without a password, whole process, {place}");
    let row = Row::new(name, &work, "ms", series);
    let beside_scrypt = row.of(SEALED_SERIES).value() - row.of(SCRYPT_SERIES).value();
    row.floor(
        "a process that does nothing, the requests one after another",
        floor::process() + requests * floor::request(server.address()),
    )
    .ratio("notation", Reach::AtMost(0.5))
    .reach("encrypted key: ms beside scrypt", beside_scrypt, Reach::AtMost(10.0))
    .figure("requests", requests)
}

/// An image with many signatures of which only the last is by the key that is asked for.
pub(super) fn many(runs: usize) -> Vec<Row> {
    let Some(stage) = Stage::new() else { return Vec::new() };
    let server = stage.signet_registry();
    let image = signed_often(&stage, &server);
    let series = alternate(
        runs,
        vec![
            Contestant::program("Signet", |_| stage.signet_verifies(PLAIN_PUBLIC, &image)),
            Contestant::program("cosign", |_| stage.cosign_verifies(PLAIN_PUBLIC, &image)),
        ],
    );
    let work =
        format!("`verify --key`, {SIGNATURES} signatures of which the last is right, Signet's registry");
    let row = Row::new("many", &work, "ms", series);
    let peak = row.signet().peak_mib().unwrap_or(f64::NAN);
    let row = row
        .floor(
            "a process that does nothing and a P-256 check of each signature",
            floor::process() + floor::checks(SIGNATURES),
        )
        .ratio("cosign", Reach::AtMost(0.1))
        .reach("peak MiB", peak, Reach::AtMost(64.0));
    vec![row]
}

/// An image signed by many keys that nobody asks for, and last by the plain one.
fn signed_often(stage: &Stage, server: &RegistryServer) -> String {
    let image = image(&server.repository("often"), "often");
    let sign_by_another = &|number: usize| {
        let other = format!("other{number}");
        Stage::prepare(stage.signet(&["keys", "generate", "--quiet", "--no-password", "--out", &other]));
        Stage::prepare(stage.signet_signs(&format!("{other}.key"), &image));
    };
    thread::scope(|scope| {
        for signer in 0..SIGNERS_AT_ONCE {
            scope.spawn(move || {
                (1..SIGNATURES).skip(signer).step_by(SIGNERS_AT_ONCE).for_each(sign_by_another)
            });
        }
    });
    Stage::prepare(stage.signet_signs(PLAIN, &image));
    image
}

/// scrypt as an encrypted key of ours has it, for the bench to run alone.
pub(super) fn scrypt() {
    let params = scrypt::Params::new(16, 8, 1).expect("these are in range");
    let mut key = [0; 32];
    scrypt::scrypt(b"correct horse", &[7; 32], &params, &mut key).expect("the key has a good length");
    std::hint::black_box(key);
}

/// The argument by which the bench asks itself for [`scrypt`].
pub(super) const SCRYPT: &str = "--scrypt-once";
const SEALED_SERIES: &str = "Signet, encrypted key";
const SCRYPT_SERIES: &str = "scrypt alone";
const SIGNATURES: usize = 200;
const SIGNERS_AT_ONCE: usize = 4;
