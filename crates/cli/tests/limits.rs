//! `docs/reference/limits.md` states the numbers that the code has, and no other.

use std::time::Duration;

use signet_formats::{
    bundle, cms, cosign, dsse, in_toto, json, jwt, note, oci, rekor, sct, signing_config, simple_signing,
    static_ct, timestamp, tlog, trust_bundle, trusted_root, tuf, x509,
};
use signet_services::{oidc, tsa};

const PAGE: &str = include_str!("../../../docs/reference/limits.md");

/// Rows whose constants are private to their modules; tests there hold them.
const PRIVATE: [&str; 49] = [
    "| bytes of requests that a service receives at once, beyond the first 8 KiB of each; more are refused | 32 MiB |",
    "| time for the body of a request to a service | 30 s |",
    "| time without a byte of it, while more than half of the connections are taken | 2 s |",
    "| bytes a second below which who reads an answer is given up, on average and after 30 s, while more than half of the connections are taken | 16 KiB |",
    "| time for the headers of a request | 15 s |",
    "| time for the headers of a request, while more than half of the connections are taken | 2 s |",
    "| time for one file of a trust repository | 60 s |",
    "| time after which `verify` asks for newer trust | 24 h; 10 min after a try that brought nothing |",
    "| wait for a repository of trust that says nothing | 3 s while what is pinned may be used, else 20 s |",
    "| wait for another process that changes pinned trust, or publishes | 30 s |",
    "| answer of a program that holds a key | 64 KiB |",
    "| time for a program that holds a key to give a signature | 15 s |",
    "| signatures of one image, all that are read together | 32 MiB |",
    "| manifests of one image's referrers, all that are opened | 16 MiB |",
    "| referrers by which a pull is decided (`--require-signed`) | 10,000 |",
    "| indexes that hold a manifest, directly or through others, by which its pull is decided | 100 |",
    "| steps from a manifest to the outermost of them | 16 |",
    "| layers of a manifest of signatures, or of all in an index of such, that is served without a decision | 4,096 |",
    "| bytes of those together | 64 MiB |",
    "| manifests of one image that are signed | 1,000 |",
    "| manifests of one `signet tree` | 10,000 |",
    "| decisions that are made side by side | 2 |",
    "| decisions about images of one repository that are made side by side | 1 |",
    "| time between two looks at the policy for pulls and at whom it trusts | 10 s |",
    "| uploads in progress of one user, or of those who did not log in to one repository | half of them |",
    "| bytes a second below which an upload's body is given up, on average and after 30 s | 16 KiB |",
    "| manifests of more than 16 KiB that are received at once | 8 |",
    "| those of one user | 2 |",
    "| time for the first 16 KiB of a manifest, and for the rest of it, each | 60 s |",
    "| time for which a decision about the same digests is reused | 10 s |",
    "| certificates that came along among which a path is sought | 4 |",
    "| public-key operations of one decision; 256 KiB that are read or hashed count as one more | 4,096 |",
    "| policy | 1 MiB |",
    "| principals of a policy | 1,024 |",
    "| rules of a policy | 256 |",
    "| memory to open an encrypted key | 128 MiB |",
    "| time between two checkpoints with witnesses, unless it is set | 1 s |",
    "| time that a witness may take, unless it is set | 2 s |",
    "| names of a witness policy | 256 |",
    "| entries that are read for a page of a search by time alone | 4,096 |",
    "| entries that are read for a page of any other search | 1,000 |",
    "| searches of a log at once; more wait, at most 5 s | 2 |",
    "| configuration of a monitor | 1 MiB |",
    "| findings of a monitor that wait for its webhook, beside forks | 10,000, 16 MiB |",
    "| checkpoints of a log that a monitor keeps until they are proven | 32 |",
    "| hashes of its proof | 63 |",
    "| list of logs | 32 MiB, 100,000 logs |",
    "| checkpoints of a log at once, of a list that says how many a day | an hour's, at least 10 |",
    "| contradictions of one log that are kept | 16 |",
];

#[test]
fn the_page_states_the_limits_of_the_code() {
    let held = [
        evidence(),
        trust(),
        registries(),
        services(),
        registry(),
        authorities(),
        log(),
        witness(),
        distribution(),
    ]
    .concat();
    let held: Vec<String> = held.into_iter().map(|(limit, value)| format!("| {limit} | {value} |")).collect();
    let heads = ["| limit | value |", "|---|---|"];
    let stated: Vec<&str> =
        PAGE.lines().filter(|line| line.starts_with('|') && !heads.contains(line)).collect();
    let missing: Vec<&String> = held.iter().filter(|row| !stated.contains(&row.as_str())).collect();
    assert!(missing.is_empty(), "the page lacks {missing:#?}");
    let made_up: Vec<&&str> = stated
        .iter()
        .filter(|row| !held.iter().any(|held| held == **row) && !PRIVATE.contains(row))
        .collect();
    assert!(made_up.is_empty(), "the code does not have {made_up:#?}");
}

type Rows = Vec<(&'static str, String)>;

fn distribution() -> Rows {
    let bytes_of = |count| format!("{} bytes", number(count));
    vec![
        ("root metadata", bytes_of(tuf::MAX_ROOT_BYTES)),
        ("timestamp metadata", bytes_of(tuf::MAX_TIMESTAMP_BYTES)),
        ("snapshot metadata", bytes_of(tuf::MAX_SNAPSHOT_BYTES)),
        ("targets metadata, of each role", bytes_of(tuf::MAX_TARGETS_BYTES)),
        ("keys, signatures and delegated roles of one metadata file, each", number(tuf::MAX_KEYS)),
        ("new roots in one update", number(signet_verify::tuf::MAX_ROTATIONS)),
        ("delegated roles that one search visits", number(signet_verify::tuf::MAX_ROLES)),
        ("name of a role or target, percent-encoded", bytes_of(tuf::MAX_FILE_NAME)),
        ("trust bundle", bytes(trust_bundle::MAX_BYTES)),
        ("files of a trust bundle", number(trust_bundle::MAX_FILES)),
    ]
}

fn authorities() -> Rows {
    vec![
        ("timestamp request", bytes(timestamp::MAX_REQUEST_BYTES)),
        ("nonce of a timestamp request", format!("{} B", timestamp::MAX_NONCE_BYTES)),
        (
            "accuracy that timestamps state",
            format!("{} ms to {} s", tsa::ACCURACIES.start().as_millis(), tsa::ACCURACIES.end().as_secs()),
        ),
        (
            "time servers, unless it is said how many have to agree",
            format!("at least {}", tsa::ntp::MIN_SERVERS),
        ),
        ("identity token", bytes(jwt::MAX_TOKEN_BYTES)),
        ("text of a token that is certified", bytes(oidc::MAX_TEXT)),
        ("configuration of token issuers", bytes(oidc::MAX_CONFIG_BYTES)),
        ("document of a token issuer", bytes(oidc::MAX_DOCUMENT_BYTES)),
        ("keys of a token issuer", number(oidc::MAX_KEYS)),
        ("token issuers that are kept because they match a pattern", number(oidc::MAX_MATCHED)),
        ("certificate that a log of certificates takes", bytes(static_ct::MAX_CERTIFICATE_BYTES)),
        ("issuers of a certificate that a log of certificates takes", number(static_ct::MAX_CHAIN)),
    ]
}

fn evidence() -> Rows {
    vec![
        ("bundle", bytes(bundle::MAX_BUNDLE_BYTES)),
        ("DSSE envelope", bytes(dsse::MAX_ENVELOPE_BYTES)),
        ("in-toto statement", bytes(in_toto::MAX_STATEMENT_BYTES)),
        ("simple-signing payload", bytes(simple_signing::MAX_BYTES)),
        ("annotation of an older signature", bytes(cosign::MAX_ANNOTATION_BYTES)),
        ("depth of JSON", number(json::MAX_DEPTH)),
        ("subjects of a statement", number(in_toto::MAX_SUBJECTS)),
        ("digests of a subject", number(in_toto::MAX_DIGESTS)),
        ("annotations of a subject", number(in_toto::MAX_ANNOTATIONS)),
        ("signatures of an envelope (a bundle's has exactly 1)", number(dsse::MAX_SIGNATURES)),
        ("log entries of a bundle", number(bundle::MAX_TLOG_ENTRIES)),
        ("timestamps of a bundle", number(bundle::MAX_TIMESTAMPS)),
        ("certificates of a bundle's chain", number(bundle::MAX_CHAIN)),
        ("certificates of an older signature's chain", number(cosign::MAX_CHAIN)),
        ("certificate", bytes(x509::MAX_CERTIFICATE_BYTES)),
        ("hashes of an inclusion proof", number(rekor::MAX_PROOF_HASHES)),
        ("body of a log entry", bytes(rekor::MAX_BODY_BYTES)),
        ("checkpoint", bytes(note::MAX_NOTE_BYTES)),
        ("signatures of a checkpoint", number(note::MAX_SIGNATURES)),
        ("timestamp token", bytes(cms::MAX_CMS_BYTES)),
        ("certificates of a timestamp token", number(cms::MAX_CMS_CERTIFICATES)),
        ("CT timestamps of a certificate", number(sct::MAX_SCTS)),
        (
            "file, for signatures by pure Ed25519 and ML-DSA over the message",
            bytes(signet_verify::MAX_ARTIFACT_BYTES),
        ),
    ]
}

fn trust() -> Rows {
    let key_file = usize::try_from(signet_keys::MAX_KEY_FILE).expect("a key file fits in memory");
    vec![
        ("trust root", bytes(trusted_root::MAX_TRUSTED_ROOT_BYTES)),
        ("logs or authorities of one kind in a trust root", number(trusted_root::MAX_INSTANCES)),
        ("certificates of an authority in a trust root", number(trusted_root::MAX_CHAIN)),
        ("key file", bytes(key_file)),
        ("bytes of a password", number(signet_keys::MAX_PASSWORD)),
    ]
}

fn registries() -> Rows {
    let limits = signet_registry::Limits::default();
    vec![
        ("manifest", bytes(oci::MAX_MANIFEST_BYTES)),
        ("referrers of one subject", number(limits.referrers)),
        ("tags of one repository", number(limits.tags)),
        ("pages of one list", number(limits.pages)),
        ("page of a list", bytes(limits.page_bytes)),
        ("answer of a token server or credential helper, credentials file", bytes(limits.small_bytes)),
        ("redirects in a row", number(limits.redirects)),
        ("times a request is sent, the first included", limits.attempts.to_string()),
        ("waiting between the attempts of one request", time(limits.retry_wait)),
        ("time to reach a host", time(limits.connect)),
        ("time without a byte arriving", time(limits.idle)),
        ("time for one manifest, list or token", time(limits.request)),
        ("bytes a second below which a blob's transfer is given up", bytes(slowest(&limits))),
        ("time for a credential helper", time(limits.helper)),
        ("requests at once", number(limits.parallel)),
        ("manifests that a layout or archive lists, all that are opened", bytes(limits.listed_bytes)),
        ("manifests of one copy", number(limits.copy_manifests)),
        ("depth of references between manifests, of indexes within indexes", number(limits.depth)),
        ("entries of an archive", number(limits.archive_entries)),
        ("gzipped archive, unpacked", bytes(unpacked(&limits))),
    ]
}

fn services() -> Rows {
    let limits = signet_clients::Limits::default();
    vec![
        ("signing config", bytes(signing_config::MAX_SIGNING_CONFIG_BYTES)),
        ("services of one kind in a signing config", number(signing_config::MAX_SERVICES)),
        ("redirects of a service in a row", number(limits.redirects)),
        ("times a service is asked, the first included", limits.attempts.to_string()),
        ("waiting between the attempts at one service", time(limits.retry_wait)),
        ("time to reach a service", time(limits.connect)),
        ("time for one answer of a service", time(limits.request)),
        ("time for a person to log in", time(limits.login)),
        ("time for a program that gives a token", time(limits.helper)),
    ]
}

fn unpacked(limits: &signet_registry::Limits) -> usize {
    usize::try_from(limits.unpacked_bytes).expect("a size fits")
}

fn slowest(limits: &signet_registry::Limits) -> usize {
    usize::try_from(limits.slowest).expect("a speed fits")
}

fn registry() -> Rows {
    let limits = signet_server::registry::Limits::default();
    let blob = usize::try_from(limits.store.blob_bytes).expect("a size fits");
    vec![
        ("connections served at once; more wait", number(limits.connections)),
        ("time a connection may carry nothing, but while a request is answered", time(limits.idle)),
        ("time for requests to end when it stops", time(limits.drain)),
        ("age after which an idle upload is forgotten", time(limits.upload_age)),
        ("blob", bytes(blob)),
        (
            "age after which an upload without a byte is forgotten",
            time(signet_store::registry::EMPTY_UPLOADS_FOR),
        ),
        ("uploads in progress", number(limits.store.uploads)),
        ("one of those layers", bytes(oci::MAX_EVIDENCE_BYTES)),
    ]
}

fn log() -> Rows {
    let (limits, bounds) = (signet_services::log::Limits::default(), signet_server::host::Bounds::default());
    vec![
        ("entry", number(tlog::MAX_ENTRY_BYTES) + " bytes"),
        ("request to log a signature (Rekor: 4 MiB)", bytes(rekor::MAX_REQUEST_BYTES)),
        ("entries that wait; more are refused", number(limits.queue)),
        ("bytes of entries that wait", bytes(limits.queue_bytes)),
        (
            "time between the beginnings of two batches, under load",
            format!("{} ms", limits.interval.as_millis()),
        ),
        (
            "the same where many entries come, at most",
            format!("{} ms", signet_services::log::LONG_PAUSE.as_millis()),
        ),
        ("witness policy", bytes(tlog::MAX_POLICY_BYTES)),
        ("entries of a page of a search", number(signet_services::log::MAX_HITS)),
        ("entries that Rekor v1 is asked for at once", number(rekor::MAX_RETRIEVED_V1)),
        ("answer about several entries of Rekor v1", bytes(rekor::MAX_ANSWERS_V1_BYTES)),
        ("connections of a service served at once; more wait", number(bounds.connections)),
        (
            "time a connection to a service may carry nothing, but while a request is answered",
            time(bounds.idle),
        ),
        ("time for requests to a service to end when it stops", time(bounds.drain)),
    ]
}

fn witness() -> Rows {
    vec![
        ("request to cosign", bytes(tlog::MAX_ADD_CHECKPOINT_BYTES)),
        ("signatures of its checkpoint", number(note::MAX_SIGNATURES)),
    ]
}

/// `16 MiB`, in the largest unit that fits.
fn bytes(count: usize) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.iter().find(|(size, _)| count.is_multiple_of(*size));
    unit.map_or_else(|| format!("{count} bytes"), |(size, name)| format!("{} {name}", count / size))
}

/// `10,000`.
fn number(count: usize) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits")).collect();
    groups.join(",")
}

fn time(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        seconds => format!("{seconds} s"),
    }
}
