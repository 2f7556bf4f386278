//! `cargo xtask mutate --count N --seed S`: mutants of every good bundle and signature, and of the trust and the
//! name that it is judged by, each decided by the policy of its original, which denies another repository
//! wherever the original names one. It fails on any yes that does not mean what the original means.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signet_formats::oci::Reference;
use signet_testkit::forge::{Case, Meaning, Vector};
use signet_testkit::mutation::{Random, mutate, mutate_text, mutate_value};
use signet_verify::{Content, PreparedTrust, RepositoryRule, Verdict, decide_prepared};

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
    /// Whether a repository is signed, so that no other name may get a yes.
    names_repository: bool,
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
    fn new(mut case: Case) -> Option<Self> {
        let trust = PreparedTrust::new(&case.trust).ok()?;
        // The forge signs one name; the vectors of others name files, of which only a note can be made.
        case.subject.name = Some(REPOSITORY.to_owned());
        let under = |rule| {
            let mut case = case.clone();
            case.policy.spec.repository = rule;
            case
        };
        let named = under(RepositoryRule::Require).decide().is_allowed();
        let denying = under(RepositoryRule::Deny);
        let case = if denying.decide().is_allowed() { denying } else { under(RepositoryRule::Note) };
        let meaning = Meaning::of(&case, &case.decide())?;
        Some(Self { case, trust, meaning, names_repository: named })
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

/// Of ten mutants one is of the trust and one of the name; the others are of the evidence.
fn judge(original: &Original, donors: &[Content], number: u64, random: &mut Random, tally: &mut Tally) {
    match random.below(10) {
        0 => judge_trust(original, number, random, tally),
        1 => judge_name(original, number, random, tally),
        _ => judge_evidence(original, donors, number, random, tally),
    }
}

fn judge_evidence(
    original: &Original,
    donors: &[Content],
    number: u64,
    random: &mut Random,
    tally: &mut Tally,
) {
    let mut case = original.case.clone();
    let Some(item) = case.evidence.items.first_mut() else { return };
    let mutant = mutate(&item.content, donors, random);
    let unchanged = mutant == item.content;
    item.content = mutant;
    let verdict = decide_prepared(&case.subject, &case.evidence, &original.trust, &case.policy, case.at);
    count(original, &case, &verdict, unchanged, number, tally);
}

/// Trust that was changed may be less, or the same to this signature; it makes nothing of it that it was not.
fn judge_trust(original: &Original, number: u64, random: &mut Random, tally: &mut Tally) {
    let Some(trust) = mutate_value(&original.case.trust, random) else {
        return tally.count("trust that is not read".to_owned());
    };
    let unchanged = trust == original.case.trust;
    let case = Case { trust, ..original.case.clone() };
    count(original, &case, &case.decide(), unchanged, number, tally);
}

/// Asked by another name, what names its repository gets no yes.
fn judge_name(original: &Original, number: u64, random: &mut Random, tally: &mut Tally) {
    let mut case = original.case.clone();
    let name = mutate_text(REPOSITORY, random);
    let unchanged = repository(&name) == repository(REPOSITORY);
    case.subject.name = Some(name);
    let verdict = case.decide();
    if verdict.is_allowed() && original.names_repository && !unchanged {
        tally.wrong.push(format!("mutant {number} of {}: {:?}", case.name, case.subject.name));
    }
    count(original, &case, &verdict, unchanged, number, tally);
}

fn repository(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.repository.to_string())
}

fn count(
    original: &Original,
    case: &Case,
    verdict: &Verdict,
    unchanged: bool,
    number: u64,
    tally: &mut Tally,
) {
    let outcome = match Meaning::of(case, verdict) {
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

/// The name that the forge signs.
const REPOSITORY: &str = "example.com/image";
const THREADS: u64 = 2;
/// [`THREADS`] as a step.
const STEP: usize = 2;
