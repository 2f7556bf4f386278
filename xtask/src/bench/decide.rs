//! `decide` beside the sum of the cryptographic operations it rests on and beside another verifier, in CPU time of one thread.

use std::process::Command;

use signet_formats::bundle::Bundle;
use signet_testkit::forge::Vector;
use signet_testkit::vectors;
use signet_verify::{PreparedTrust, decide, decide_prepared};

use super::measure::{Contestant, Sample, alternate, cpu_microseconds};
use super::operations::{self, Operation};
use super::row::{Reach, Row};

/// Vectors of the Sigstore conformance corpus, one a kind of verdict.
const VECTORS: [(&str, &str); 5] = [
    ("decide", "happy-path-v0.3-new-mediaType"),
    ("decide-dsse", "happy-path-intoto-in-dsse-v3"),
    ("decide-rekor2", "rekor2-happy-path"),
    ("decide-rekor2-dsse", "rekor2-dsse-happy-path"),
    ("decide-key", "managed-key-happy-path"),
];

/// A row for each vector: by prepared trust, raw, and the cryptography alone, which is the floor.
pub(super) fn rows(runs: usize) -> Vec<Row> {
    let Some(corpus) = vectors("sigstore") else { return Vec::new() };
    let corpus = Vector::all(&corpus);
    let of_name = |name: &str| corpus.iter().find(|vector| vector.name == name).expect("the corpus is whole");
    VECTORS.iter().map(|(name, vector)| row(name, of_name(vector), runs)).collect()
}

fn row(name: &str, vector: &Vector, runs: usize) -> Row {
    let case = vector.case.as_ref().expect("the vector's trust root and key are well-formed");
    let bundle = Bundle::parse(&vector.bundle).expect("the bundle is well-formed");
    let operations =
        operations::of_bundle(&bundle, &vector.artifact, &case.trust, vector.public_key().as_ref());
    let prepared = PreparedTrust::new(&case.trust).expect("the vector's trust root is usable");
    let verdict = decide_prepared(&case.subject, &case.evidence, &prepared, &case.policy, case.at);
    assert!(verdict.is_allowed(), "{}: {:?}", vector.name, verdict.code);
    let series = alternate(
        runs,
        vec![
            contestant("decide, prepared trust", || {
                drop(decide_prepared(&case.subject, &case.evidence, &prepared, &case.policy, case.at));
            }),
            contestant("decide", || {
                drop(decide(&case.subject, &case.evidence, &case.trust, &case.policy, case.at));
            }),
            contestant(CRYPTOGRAPHY, || assert!(operations.iter().all(Operation::holds))),
            contestant("reading the bundle", || {
                drop(Bundle::parse(&vector.bundle).expect("it is a bundle"));
            }),
            Contestant::new("sigstore-verify", |_| Sample::of(sigstore_verify(&vector.name))),
        ],
    );
    let names: Vec<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
    let row = Row::new(name, &format!("`decide` on {}: {}", vector.name, names.join("; ")), "µs CPU", series);
    let floor = row.of(CRYPTOGRAPHY).value();
    row.floor("its cryptographic operations alone", floor).ratio(CRYPTOGRAPHY, Reach::AtMost(1.1))
}

/// What the second verifier takes for the same vector.
fn sigstore_verify(vector: &str) -> f64 {
    let mut oracle = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    oracle.args(["run", "--release", "--locked", "--quiet", "--manifest-path", "oracle/Cargo.toml"]);
    oracle.args(["--target-dir", "target", "--", "time", vector]);
    let output = oracle.output().expect("cargo can be run");
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.trim().parse().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn contestant<'a>(name: &'static str, work: impl Fn() + 'a) -> Contestant<'a> {
    Contestant::new(name, move |_| Sample::of(cpu_microseconds(BATCH, &work)))
}

const BATCH: u32 = 20;
const CRYPTOGRAPHY: &str = "its cryptography";
