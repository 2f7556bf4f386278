//! `signet-oracle [MUTANTS [SEED]]`: every vector of the Sigstore conformance corpus, and mutants of the
//! good ones, judged by Signet and by `sigstore-verify`.
//!
//! It prints each difference. It fails if either is wrong about a vector, or if Signet says yes where the
//! other says no and `differences.md` does not list the other's reason.
//!
//! `signet-oracle time VECTOR` prints how many microseconds of CPU time `sigstore-verify` takes for a vector; `cargo xtask bench` asks.

mod peer;
mod proto3;

use std::collections::BTreeMap;
use std::process::ExitCode;

use signet_testkit::forge::{Case, Vector};
use signet_testkit::mutation::{Random, mutate};
use signet_verify::{Content, Node, Outcome};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = signet_testkit::vectors("sigstore") else { return ExitCode::SUCCESS };
    let vectors = Vector::all(&folder);
    if let [time, name] = arguments.as_slice()
        && time == "time"
    {
        let vector = vectors.iter().find(|vector| vector.name == *name).expect("a vector of this name");
        println!("{}", peer::microseconds(vector));
        return ExitCode::SUCCESS;
    }
    let mut numbers = arguments.iter().map(|argument| argument.parse().expect("a number"));
    let (mutants, seed) = (numbers.next().unwrap_or(2000), numbers.next().unwrap_or(1));
    judge(&vectors, mutants, seed)
}

/// Whether both are right about the vectors, and the mutants bring nothing new.
fn judge(vectors: &[Vector], mutants: u64, seed: u64) -> ExitCode {
    let mut wrong: Vec<String> = vectors.iter().filter_map(wrong_about).collect();
    println!("{} vectors, {} wrong answers", vectors.len(), wrong.len());
    let differences = judge_mutants(vectors, mutants, seed);
    for (difference, (count, example)) in &differences {
        println!("{count:>7}  {difference}\n         {example}");
        let listed = DIFFERENCES.iter().any(|known| difference.theirs.starts_with(known));
        if difference.ours == Outcome::Allow.to_string() && !listed {
            wrong.push(format!("not in differences.md: {}", difference.theirs));
        }
    }
    wrong.iter().for_each(|wrong| println!("{wrong}"));
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Who is wrong about the vector, if one is.
fn wrong_about(vector: &Vector) -> Option<String> {
    let (ours, theirs) = (ours(vector.case.as_ref()), peer::judge(vector, &vector.bundle));
    let expected = vector.is_good();
    let wrong = ours.0 != expected || theirs.is_ok() != expected;
    wrong.then(|| format!("{}: Signet {}, sigstore-verify {theirs:?}", vector.name, ours.1))
}

/// Whether Signet says yes, and its answer.
fn ours(case: Option<&Case>) -> (bool, String) {
    let Some(case) = case else { return (false, "unusable trust root or key".to_owned()) };
    let verdict = case.decide();
    let code = verdict.code.map_or(String::new(), |code| format!(" {code}"));
    (verdict.outcome == Outcome::Allow, format!("{}{code}", verdict.outcome))
}

/// Two answers that differ.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    ours: String,
    theirs: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signet: {}; sigstore-verify: {}", self.ours, self.theirs)
    }
}

/// The differences, how often each occurred and the first such mutant.
fn judge_mutants(vectors: &[Vector], count: u64, seed: u64) -> BTreeMap<Difference, (u64, String)> {
    let good: Vec<&Vector> =
        vectors.iter().filter(|vector| vector.is_good() && vector.case.is_some()).collect();
    let contents: Vec<Content> = good.iter().filter_map(|vector| content(vector)).collect();
    let mut differences = BTreeMap::new();
    for number in 0..count {
        let mut random = Random::new(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        let Some(vector) = random.pick(&good) else { continue };
        let (Some(original), Some(mut case)) = (content(vector), vector.case.clone()) else { continue };
        let Content::Bundle { bytes } = mutate(&original, &contents, &mut random) else { continue };
        let theirs = peer::judge(vector, &bytes.0).or_else(|why| match proto3::respelled(&bytes.0) {
            Some(respelled) => peer::judge(vector, &respelled).map_err(|_| why),
            None => Err(why),
        });
        case.evidence.items[0].content = Content::Bundle { bytes };
        let ours = ours(Some(&case));
        if ours.0 != theirs.is_ok() {
            let detail = theirs.as_ref().err().cloned().or_else(|| deepest(&case.decide().checks));
            let example = format!("mutant {number} of {}: {}", vector.name, detail.unwrap_or_default());
            let theirs = theirs.map_or_else(|why| kind(&why), |()| "allow".to_owned());
            differences.entry(Difference { ours: ours.1, theirs }).or_insert((0, example)).0 += 1;
        }
    }
    differences
}

/// What the last failed check below this one found.
fn deepest(node: &Node) -> Option<String> {
    let failed = node.children.iter().rev().find(|child| child.failed());
    failed.and_then(deepest).or_else(|| node.found.clone())
}

/// The reason without the place in the document.
fn kind(why: &str) -> String {
    why.split(" at line ").next().unwrap_or_default().trim().to_owned()
}

fn content(vector: &Vector) -> Option<Content> {
    vector.case.as_ref()?.evidence.items.first().map(|item| item.content.clone())
}

/// How the reasons of `sigstore-verify` begin where Signet says yes all the same; `differences.md` says why.
const DIFFERENCES: [&str; 6] = [
    "Bundle error: inclusion proof has no checkpoint",
    "bundle unreadable: JSON error: invalid type: null, expected a sequence",
    "bundle unreadable: JSON error: invalid type: null, expected a string",
    "bundle unreadable: JSON error: invalid type: null, expected struct WireCheckpointData",
    "bundle unreadable: JSON error: missing field `algorithm`",
    "invalid RFC 3161 timestamp: TSA timestamp verification failed: Failed to",
];
