//! `cargo xtask mutate --count N --seed S`: mutants of every good bundle and signature, each decided by
//! the policy of its original. It fails on any yes that does not mean what the original means.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signet_testkit::forge::{Case, Meaning, Vector};
use signet_testkit::mutation::{Random, mutate};
use signet_verify::{Content, PreparedTrust, decide_prepared};

use crate::corpus;

pub(crate) const USAGE: &str = "mutate --count N --seed S";

/// Makes, decides and counts the mutants; an error lists those with a wrong yes.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::parse(words)?;
    let originals = originals().map_err(|error| error.to_string())?;
    let done = AtomicU64::new(0);
    let started = Instant::now();
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let worker = |first| {
            let (originals, done) = (&originals, &done);
            scope.spawn(move || work(originals, options, first, done))
        };
        let workers: Vec<_> = (0..THREADS).map(worker).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_default()).collect()
    });
    let tally = tallies.into_iter().fold(Tally::default(), Tally::and);
    let report = tally.report(originals.len(), options, started.elapsed());
    show(&report);
    match tally.wrong.is_empty() && tally.total() == options.count {
        true => Ok(()),
        false => Err(format!("wrong answers:\n{}", tally.wrong.join("\n"))),
    }
}

/// How many mutants of which seed.
#[derive(Clone, Copy, Debug)]
struct Options {
    count: u64,
    /// The mutant's number is mixed into it.
    seed: u64,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let number = |word: &str| word.parse().map_err(|_| format!("`{word}` is not a number"));
        match words {
            ["--count", count, "--seed", seed] => Ok(Self { count: number(count)?, seed: number(seed)? }),
            _ => Err(format!("usage: cargo xtask {USAGE}")),
        }
    }
}

/// A good case with its trust prepared.
struct Original {
    case: Case,
    trust: PreparedTrust,
    meaning: Meaning,
}

/// The committed cases, and the good ones of the conformance corpus where it is at hand.
fn originals() -> std::io::Result<Vec<Original>> {
    let mut cases = corpus::cases()?;
    if let Some(folder) = signet_testkit::vectors("sigstore") {
        let good = Vector::all(&folder).into_iter().filter(Vector::is_good);
        cases.extend(good.filter_map(|vector| vector.case));
    }
    Ok(cases.into_iter().filter_map(Original::new).collect())
}

impl Original {
    fn new(case: Case) -> Option<Self> {
        let trust = PreparedTrust::new(&case.trust).ok()?;
        let meaning = Meaning::of(&case, &case.decide())?;
        Some(Self { case, trust, meaning })
    }

    fn content(&self) -> Option<&Content> {
        self.case.evidence.items.first().map(|item| &item.content)
    }
}

/// What became of the mutants.
#[derive(Default)]
struct Tally {
    outcomes: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, outcome: String) {
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    fn and(mut self, other: Self) -> Self {
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.wrong.extend(other.wrong);
        self
    }

    fn total(&self) -> u64 {
        self.outcomes.values().sum()
    }

    fn report(&self, originals: usize, options: Options, elapsed: Duration) -> String {
        let lines = self.outcomes.iter().map(|(outcome, count)| format!("{count:>9}  {outcome}"));
        let Options { count, seed } = options;
        let head =
            format!("{count} mutants of {originals} originals, seed {seed}, in {} s", elapsed.as_secs());
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    }
}

fn work(originals: &[Original], options: Options, first: u64, done: &AtomicU64) -> Tally {
    let contents: Vec<Content> = originals.iter().filter_map(Original::content).cloned().collect();
    let mut tally = Tally::default();
    for number in (first..options.count).step_by(STEP) {
        let mut random = Random::new(options.seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        if let Some(original) = random.pick(originals) {
            judge(original, &contents, number, &mut random, &mut tally);
        }
        show_progress(done.fetch_add(1, Ordering::Relaxed) + 1, options.count);
    }
    tally
}

fn judge(original: &Original, donors: &[Content], number: u64, random: &mut Random, tally: &mut Tally) {
    let mut case = original.case.clone();
    let Some(item) = case.evidence.items.first_mut() else { return };
    let mutant = mutate(&item.content, donors, random);
    let unchanged = mutant == item.content;
    item.content = mutant;
    let verdict = decide_prepared(&case.subject, &case.evidence, &original.trust, &case.policy, case.at);
    let outcome = match Meaning::of(&case, &verdict) {
        _ if unchanged => "unchanged".to_owned(),
        None => verdict.code.map_or(String::new(), |code| format!("{code} {}", code.title())),
        Some(meaning) if meaning == original.meaning => "allow, the same meaning".to_owned(),
        Some(meaning) if meaning.is_within(&original.meaning) => "allow, fewer proven times".to_owned(),
        Some(meaning) => {
            tally.wrong.push(format!("mutant {number} of {}: {meaning:?}", case.name));
            "allow, ANOTHER MEANING".to_owned()
        }
    };
    tally.count(outcome);
}

#[expect(clippy::print_stdout, reason = "a task says what it did")]
fn show(report: &str) {
    println!("{report}");
}

#[expect(clippy::print_stderr, reason = "long work shows progress")]
fn show_progress(done: u64, count: u64) {
    if count >= 10 && done.is_multiple_of(count / 10) {
        eprintln!("{done} of {count}");
    }
}

const THREADS: u64 = 2;
/// [`THREADS`] as a step.
const STEP: usize = 2;
