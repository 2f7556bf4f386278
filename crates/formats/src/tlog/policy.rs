//! Which witnesses a checkpoint needs (C2SP tlog-policy).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeBounds;

use crate::checkpoint::SignedCheckpoint;
use crate::cosignature;
use crate::note::{KeyKind, NoteError, VerifierKey};

/// The largest policy that is read, in bytes.
pub const MAX_POLICY_BYTES: usize = 1024 * 1024;

/// How far the clock of a witness may be from ours, in seconds, for what it cosigned to say when that was.
pub const MAX_WITNESS_SKEW: u64 = 300;

/// Logs, witnesses, and how many of those have to cosign.
#[derive(Clone, Debug)]
pub struct WitnessPolicy {
    text: Vec<u8>,
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    quorum: Quorum,
}

/// A log that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key; the key's name is the log's origin.
    pub key: VerifierKey,
    /// Where it is, if the policy says so.
    pub url: Option<String>,
}

/// A witness that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its key.
    pub key: VerifierKey,
    /// Its submission prefix, if the policy says so.
    pub url: Option<String>,
}

/// What has to be there.
#[derive(Clone, Debug)]
enum Quorum {
    None,
    /// The witness at this place.
    Witness(usize),
    /// So many of these.
    Group(usize, Vec<Quorum>),
}

impl WitnessPolicy {
    /// Reads a policy. Names are opaque bytes, as the specification has them.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError { line: 0, why: Why::TooLarge });
        }
        let mut reader = Reader::default();
        for (line, words) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            reader.line(words).map_err(|why| PolicyError { line, why })?;
        }
        let quorum = reader.quorum.ok_or(PolicyError { line: 0, why: Why::NoQuorum })?;
        Ok(Self { text: text.to_vec(), logs: reader.logs, witnesses: reader.witnesses, quorum })
    }

    /// The text that it was read from.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The logs that it names; none if they are known from elsewhere.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in the order of their lines.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether the quorum is reached if those witnesses cosigned of whom `cosigned` says so, given their place.
    pub fn is_met(&self, cosigned: impl Fn(usize) -> bool) -> bool {
        self.quorum.is_met(&cosigned)
    }

    /// Whether the quorum has cosigned a checkpoint, as [`Self::cosigners`] has it.
    pub fn is_met_by(&self, signed: &SignedCheckpoint, when: impl RangeBounds<u64>) -> bool {
        let cosigners = self.cosigners(signed, when);
        self.is_met(|place| cosigners.contains(&place))
    }

    /// The places of those who have cosigned a checkpoint, by their clocks at one of these times, in seconds since 1970.
    pub fn cosigners(&self, signed: &SignedCheckpoint, when: impl RangeBounds<u64>) -> BTreeSet<usize> {
        let witnesses = self.witnesses.iter().enumerate();
        let did = witnesses.filter(|(_, witness)| {
            cosignature::verify(signed, &witness.key).is_ok_and(|made| when.contains(&made.timestamp))
        });
        did.map(|(place, _)| place).collect()
    }
}

impl Quorum {
    fn is_met(&self, cosigned: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Self::None => true,
            Self::Witness(place) => cosigned(*place),
            Self::Group(wanted, members) => {
                members.iter().filter(|member| member.is_met(cosigned)).count() >= *wanted
            }
        }
    }
}

/// Why a policy was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, from 1; 0 if it is the whole.
    pub line: usize,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Characters,
    DuplicateKey,
    DuplicateName,
    Key(NoteError),
    KeyKind,
    Member,
    Name,
    NoQuorum,
    SecondQuorum,
    Threshold,
    TooLarge,
    TooMany,
    Words,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(match self.why {
            Why::Characters => {
                "there is a control character, or text that is not UTF-8 where a key or URL is"
            }
            Why::DuplicateKey => "the key was given before",
            Why::DuplicateName => "the name was given before",
            Why::Key(error) => return error.fmt(f),
            Why::KeyKind => "the key is of another kind than this line is for",
            Why::Member => "a member is not defined above, or in a group already",
            Why::Name => "`none` is no name",
            Why::NoQuorum => "there is no `quorum` line",
            Why::SecondQuorum => "there is a `quorum` line already",
            Why::Threshold => "the threshold is not `all`, `any` or a number from 1 to that of the members",
            Why::TooLarge => "the policy is too large",
            Why::TooMany => "there are too many of this kind",
            Why::Words => "expected `log`, `witness`, `group` or `quorum` and what belongs to it",
        })
    }
}

impl std::error::Error for PolicyError {}

#[derive(Default)]
struct Reader {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    /// What witnesses and groups are called.
    named: BTreeMap<Vec<u8>, Quorum>,
    /// The names that are in a group.
    taken: BTreeSet<Vec<u8>>,
    quorum: Option<Quorum>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), Why> {
        if line.iter().any(|byte| matches!(byte, 0..=8 | 10..=0x1f | 0x7f)) {
            return Err(Why::Characters);
        }
        let words: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key, url @ ..] => self.log(key, url),
            [b"witness", name, key, url @ ..] => self.witness(name, key, url),
            [b"group", name, threshold, members @ ..] => self.group(name, threshold, members),
            [b"quorum", name] => self.quorum(name),
            _ => Err(Why::Words),
        }
    }

    fn log(&mut self, key: &[u8], url: &[&[u8]]) -> Result<(), Why> {
        let key = verifier_key(key)?;
        if key.kind() == KeyKind::CosignatureV1 {
            return Err(Why::KeyKind);
        }
        if self.logs.iter().any(|log| log.key.key() == key.key()) {
            return Err(Why::DuplicateKey);
        }
        let log = PolicyLog { key, url: one_url(url)? };
        push(&mut self.logs, log)
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: &[&[u8]]) -> Result<(), Why> {
        let key = verifier_key(key)?;
        if !matches!(key.kind(), KeyKind::CosignatureV1 | KeyKind::SubtreeV1) {
            return Err(Why::KeyKind);
        }
        if self.witnesses.iter().any(|witness| witness.key.key() == key.key()) {
            return Err(Why::DuplicateKey);
        }
        self.define(name, Quorum::Witness(self.witnesses.len()))?;
        let witness = PolicyWitness { key, url: one_url(url)? };
        push(&mut self.witnesses, witness)
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], members: &[&[u8]]) -> Result<(), Why> {
        let wanted = match threshold {
            b"all" => Some(members.len()),
            b"any" => Some(1),
            digits => decimal(digits),
        };
        let wanted = wanted.filter(|wanted| (1..=members.len()).contains(wanted)).ok_or(Why::Threshold)?;
        // "Each defined name can be listed as a group member at most once."
        let members = members.iter().map(|member| match self.taken.insert(member.to_vec()) {
            true => self.named.get(*member).cloned().ok_or(Why::Member),
            false => Err(Why::Member),
        });
        let group = Quorum::Group(wanted, members.collect::<Result<_, _>>()?);
        self.define(name, group)
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), Why> {
        let quorum = match name {
            b"none" => Quorum::None,
            _ => self.named.get(name).cloned().ok_or(Why::Member)?,
        };
        match self.quorum.replace(quorum) {
            None => Ok(()),
            Some(_) => Err(Why::SecondQuorum),
        }
    }

    fn define(&mut self, name: &[u8], what: Quorum) -> Result<(), Why> {
        if name == b"none" {
            return Err(Why::Name);
        }
        if self.named.len() >= MAX_NAMES {
            return Err(Why::TooMany);
        }
        match self.named.insert(name.to_owned(), what) {
            None => Ok(()),
            Some(_) => Err(Why::DuplicateName),
        }
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), Why> {
    match list.len() < MAX_NAMES {
        true => list.push(item),
        false => return Err(Why::TooMany),
    }
    Ok(())
}

fn verifier_key(word: &[u8]) -> Result<VerifierKey, Why> {
    let text = std::str::from_utf8(word).map_err(|_| Why::Characters)?;
    text.parse().map_err(Why::Key)
}

fn one_url(words: &[&[u8]]) -> Result<Option<String>, Why> {
    match words {
        [] => Ok(None),
        [url] => std::str::from_utf8(url).map(|url| Some(url.to_owned())).map_err(|_| Why::Characters),
        _ => Err(Why::Words),
    }
}

fn decimal(digits: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(digits).ok()?;
    super::path::read_number(text).and_then(|number| usize::try_from(number).ok())
}

/// Of logs, of witnesses and of names; the specification asks for at least 32.
const MAX_NAMES: usize = 256;

#[cfg(test)]
mod tests {
    use signet_crypto::{KeyAlgorithm, PublicKey};

    use super::*;

    fn key(number: u8) -> PublicKey {
        // Of 32 bytes every other is a point; none of these signs anything.
        let point =
            |last| PublicKey::from_bits(KeyAlgorithm::Ed25519, &[&[number; 31][..], &[last]].concat());
        (0..128).find_map(|last| point(last).ok()).unwrap()
    }

    fn witness(number: u8) -> String {
        format!("witness W{number} {}", VerifierKey::witness("example.org/w", key(number)).unwrap())
    }

    fn policy(rest: &str) -> Result<WitnessPolicy, PolicyError> {
        let witnesses: Vec<String> = (1..=6).map(witness).collect();
        WitnessPolicy::parse(format!("{}\n{rest}", witnesses.join("\n")).as_bytes())
    }

    fn met(policy: &WitnessPolicy, numbers: &[usize]) -> bool {
        policy.is_met(|place| numbers.contains(&(place + 1)))
    }

    #[test]
    fn groups_count_groups() {
        let policy = policy(
            "group X 2 W1 W2 W3\n\t group\tY  any W4 W5 W6 \n# gesagt: ä\ngroup XY all X Y\n\nquorum XY\n",
        );
        let policy = policy.unwrap();
        assert!(met(&policy, &[1, 3, 5]) && met(&policy, &[1, 2, 3, 4, 5, 6]));
        for less in [&[][..], &[1, 4], &[1, 2, 3], &[4, 5, 6], &[1, 4, 5, 6]] {
            assert!(!met(&policy, less), "{less:?}");
        }
    }

    #[test]
    fn one_witness_or_none_is_a_quorum_too() {
        let one = policy("quorum W2\n").unwrap();
        assert!(met(&one, &[2]) && !met(&one, &[1, 3, 4, 5, 6]));
        assert!(met(&policy("group G any W1 W2\nquorum W2").unwrap(), &[2]));
        assert!(met(&policy("quorum none").unwrap(), &[]));
    }

    #[test]
    fn logs_and_urls_are_told() {
        let log = VerifierKey::log("example.org/log", key(9)).unwrap();
        let text =
            format!("log {log} https://log.example.org/\n{} https://w.example.org\nquorum W1", witness(1));
        let policy = WitnessPolicy::parse(text.as_bytes()).unwrap();
        assert_eq!(policy.logs(), [PolicyLog { key: log, url: Some("https://log.example.org/".into()) }]);
        assert_eq!(policy.witnesses()[0].url.as_deref(), Some("https://w.example.org"));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let again = witness(1).replace("W1", "W7");
        let log = VerifierKey::log("example.org/log", key(9)).unwrap();
        for (rest, line, why) in [
            ("", 0, Why::NoQuorum),
            ("quorum W1\nquorum W1", 8, Why::SecondQuorum),
            ("quorum W9", 7, Why::Member),
            ("quorum G\ngroup G any W1", 7, Why::Member),
            ("group G any W1\ngroup H any W1\nquorum G", 8, Why::Member),
            ("group G any W1 W1\nquorum G", 7, Why::Member),
            ("group G 3 W1 W2\nquorum G", 7, Why::Threshold),
            ("group G 0 W1 W2\nquorum G", 7, Why::Threshold),
            ("group G 01 W1 W2\nquorum G", 7, Why::Threshold),
            ("group G any\nquorum G", 7, Why::Threshold),
            ("group W1 any W2\nquorum W1", 7, Why::DuplicateName),
            ("group none any W2\nquorum none", 7, Why::Name),
            ("group G any none\nquorum G", 7, Why::Member),
            ("witnesses", 7, Why::Words),
            ("quorum W1 W2", 7, Why::Words),
            ("quorum\u{b}W1", 7, Why::Characters),
            ("quorum W1\r", 7, Why::Characters),
            (&again, 7, Why::DuplicateKey),
            (&format!("witness L {log}"), 7, Why::KeyKind),
            (&format!("log {}", witness(7).trim_start_matches("witness W7 ")), 7, Why::KeyKind),
            (&format!("log {log}\nlog {log}"), 8, Why::DuplicateKey),
            ("witness W8 nonsense", 7, Why::Key(NoteError::MalformedKey)),
        ] {
            assert_eq!(policy(rest).unwrap_err(), PolicyError { line, why }, "{rest}");
        }
        let large = vec![b'\n'; MAX_POLICY_BYTES + 1];
        assert_eq!(WitnessPolicy::parse(&large).unwrap_err().why, Why::TooLarge);
    }

    #[test]
    fn as_many_names_as_the_specification_asks_for_and_not_without_end() {
        let many = |count: usize| -> String {
            let groups = (0..count).map(|number| {
                format!(
                    "group G{number} any {}\n",
                    match number {
                        0 => "W1".to_owned(),
                        _ => format!("G{}", number - 1),
                    }
                )
            });
            groups.chain([format!("quorum G{}", count - 1)]).collect()
        };
        assert!(met(&policy(&many(32)).unwrap(), &[1]));
        assert!(met(&policy(&many(MAX_NAMES - 6)).unwrap(), &[1]));
        assert_eq!(policy(&many(MAX_NAMES - 5)).unwrap_err().why, Why::TooMany);
    }
}
