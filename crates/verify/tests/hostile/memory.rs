//! Evidence that is small as it lies in a registry and would be large as it is read: what a decision holds
//! is a small multiple of its evidence. Each is decided in a process of its own, which tells its peak.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test runs itself again and measures it"
)]

use std::collections::BTreeMap;
use std::process::Command;

use signet_crypto::Digest;
use signet_formats::base64::{self, Base64};
use signet_formats::dsse::{IN_TOTO_PAYLOAD_TYPE, MAX_SIGNATURES};
use signet_testkit::forge::{ARTIFACT, Case, Key, World};
use signet_verify::{Code, Content, Outcome};

/// An attestation as large as the envelope may be, with as many signatures as it may have.
fn attestation(annotations: &str) -> Content {
    let payload = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","predicateType":"p","predicate":{{}},"subject":[{{"digest":{{"sha256":"{}"}},"annotations":{{{annotations}}}}}]}}"#,
        Digest::sha256(ARTIFACT).hex()
    );
    let signatures = vec![r#"{"sig":"AAAA"}"#; MAX_SIGNATURES].join(",");
    let envelope = format!(
        r#"{{"payloadType":"{IN_TOTO_PAYLOAD_TYPE}","payload":"{}","signatures":[{signatures}]}}"#,
        base64::encode(payload)
    );
    Content::CosignAttestation { envelope: Base64(envelope.into_bytes()), annotations: BTreeMap::new() }
}

fn bundle(tlog_entries: &str) -> Content {
    let bundle = format!(
        r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{{"publicKey":{{}},"tlogEntries":[{tlog_entries}]}},"messageSignature":{{"signature":"AAAA"}}}}"#
    );
    Content::Bundle { bytes: Base64(bundle.into_bytes()) }
}

fn case(content: Content) -> Case {
    Case::of("memory", &World::new(), &[Key::p256().public()], content)
}

/// The case is decided, so, in a process that holds no more than [`MOST`].
#[track_caller]
fn assert_bounded(name: &str, case: impl Fn() -> Case, outcome: Outcome, code: Code) {
    if std::env::var_os(CHILD).is_some() {
        let verdict = case().decide();
        assert_eq!((verdict.outcome, verdict.code), (outcome, Some(code)));
        println!("peak {:?}", peak_memory());
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("memory::{name}"), "--nocapture"]).env(CHILD, "1");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    match said
        .lines()
        .find_map(|line| line.split("peak Some(").nth(1)?.trim_end_matches(')').parse::<u64>().ok())
    {
        Some(peak) => assert!(peak < MOST, "{peak} bytes"),
        None => println!("skipped: needs /proc"),
    }
}

/// The most memory that this process has held, in bytes; none where the system does not tell.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
}

/// Every signature of one envelope is over one statement, which is read once. What is annotated and no text
/// is not held: lists in lists were 4.6 GB of it.
#[test]
fn one_envelope_with_many_signatures_is_read_once() {
    let lists = || attestation(&format!(r#""a":[{}1]"#, "[],".repeat(11 << 18)));
    let name = "one_envelope_with_many_signatures_is_read_once";
    assert_bounded(name, || case(lists()), Outcome::Deny, Code::SignatureInvalid);
}

/// More of something than may be there is counted and not held.
#[test]
fn more_than_may_be_there_is_not_held() {
    let annotations = || {
        let many: Vec<String> = (0..600_000).map(|n| format!(r#""{n}":"""#)).collect();
        attestation(&many.join(","))
    };
    let name = "more_than_may_be_there_is_not_held";
    assert_bounded(name, || case(annotations()), Outcome::Deny, Code::StatementMalformed);
}

#[test]
fn more_log_entries_than_may_be_there_are_not_held() {
    let name = "more_log_entries_than_may_be_there_are_not_held";
    let entries = || bundle(&vec!["{}"; 4_000_000].join(","));
    assert_bounded(name, || case(entries()), Outcome::Undecidable, Code::EvidenceLimit);
}

const CHILD: &str = "SIGNET_TEST_CHILD";
/// What a process may hold to make and decide evidence of 16 MiB.
const MOST: u64 = 256 << 20;
