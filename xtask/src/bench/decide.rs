//! `decide` beside the sum of the cryptographic operations it rests on, in CPU time of one thread.

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
        ],
    );
    let names: Vec<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
    let row = Row::new(name, &format!("`decide` on {}: {}", vector.name, names.join("; ")), "µs CPU", series);
    let floor = row.of(CRYPTOGRAPHY).value();
    row.floor("its cryptographic operations alone", floor).ratio(CRYPTOGRAPHY, Reach::AtMost(1.1))
}

fn contestant<'a>(name: &'static str, work: impl Fn() + 'a) -> Contestant<'a> {
    Contestant::new(name, move |_| Sample::of(cpu_microseconds(BATCH, &work)))
}

const BATCH: u32 = 20;
const CRYPTOGRAPHY: &str = "its cryptography";
