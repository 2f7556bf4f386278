use std::sync::LazyLock;

use signet_formats::base64::Base64;
use signet_testkit::forge::{Case, Meaning};
use signet_verify::{Content, PreparedTrust, decide_prepared};

/// The bytes as a bundle, under the trust and policy of the keyless seeds: a yes says no more than one of
/// the seeds says.
pub fn decide(data: &[u8]) {
    let mut case = CONTEXT.case.clone();
    if let Some(item) = case.evidence.items.first_mut() {
        item.content = Content::Bundle { bytes: Base64(data.to_vec()) };
    }
    let verdict = decide_prepared(&case.subject, &case.evidence, &CONTEXT.trust, &case.policy, case.at);
    if let Some(meaning) = Meaning::of(&case, &verdict) {
        assert!(CONTEXT.seeds.iter().any(|seed| meaning.is_within(seed)), "{meaning:?}");
    }
}

/// Trust and policy that the seeds share, and what each of them means.
struct Context {
    case: Case,
    trust: PreparedTrust,
    seeds: Vec<Meaning>,
}

static CONTEXT: LazyLock<Context> = LazyLock::new(|| {
    let seeds: Vec<Case> = SEEDS.map(|json| serde_json::from_str(json).expect("the seed is a case")).into();
    let meaning = |case: &Case| Meaning::of(case, &case.decide()).expect("the seed is allowed");
    let case = seeds.first().expect("there are seeds").clone();
    let trust = PreparedTrust::new(&case.trust).expect("the seeds' trust is sound");
    Context { trust, seeds: seeds.iter().map(meaning).collect(), case }
});

/// One world made them all, so that their trust and policy are the same.
const SEEDS: [&str; 6] = [
    include_str!("../cases/keyless-v1-artifact.json"),
    include_str!("../cases/keyless-v1-stamped.json"),
    include_str!("../cases/keyless-v1-statement.json"),
    include_str!("../cases/keyless-v2-artifact.json"),
    include_str!("../cases/keyless-v2-statement.json"),
    include_str!("../cases/keyless-v2-witnessed.json"),
];
