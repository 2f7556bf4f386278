//! `cargo xtask corpus`: writes the seeds of the fuzz targets and the cases of the mutation runner, new
//! ones under new keys, to `fuzz/`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use signet_formats::base64;
use signet_formats::bundle::{Bundle, Material};
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::rekor::{Body, HashedRekordRequest, InclusionProof, TlogEntry};
use signet_formats::tlog::EntryProof;
use signet_formats::trust_bundle::TrustBundle;
use signet_formats::x509::Certificate;
use signet_testkit::forge::{Case, Key, TrustRepository, samples};
use signet_verify::Content;

pub(crate) const USAGE: &str = "corpus";

/// Writes everything anew.
pub(crate) fn run() -> Result<(), String> {
    write().map_err(|error| error.to_string())
}

fn write() -> io::Result<()> {
    let root = folder();
    for case in samples() {
        put(&root.join("cases"), &format!("{}.json", case.name), &pretty(&case))?;
        for (target, bytes) in seeds(&case) {
            put(&root.join("seeds").join(target), &case.name, &bytes)?;
        }
    }
    for (target, name, bytes) in trust_seeds() {
        put(&root.join("seeds").join(target), &name, &bytes)?;
    }
    for (target, name, bytes) in BY_HAND {
        put(&root.join("seeds").join(target), name, bytes.as_bytes())?;
    }
    Ok(())
}

/// The committed cases, by name.
pub(crate) fn cases() -> io::Result<Vec<Case>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder().join("cases"))?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    files.iter().map(|file| Ok(serde_json::from_slice(&fs::read(file)?)?)).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), bytes)
}

fn pretty(case: &Case) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(case).unwrap_or_default();
    json.push(b'\n');
    json
}

/// The parts of a case, each for the target that reads it.
fn seeds(case: &Case) -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = vec![("policy", serde_json::to_vec(&case.policy).unwrap_or_default())];
    for item in &case.evidence.items {
        match &item.content {
            Content::Bundle { bytes } => seeds.extend(bundle_seeds(&case.name, &bytes.0)),
            Content::CosignSignature { payload, annotations } => {
                seeds.push(("simple_signing", payload.0.clone()));
                let annotations = serde_json::to_vec(annotations).unwrap_or_default();
                seeds.push(("cosign", [&annotations[..], &[0], &payload.0].concat()));
            }
            Content::CosignAttestation { envelope, annotations } => {
                seeds.push(("dsse", envelope.0.clone()));
                let annotations = serde_json::to_vec(annotations).unwrap_or_default();
                seeds.push(("cosign", [&annotations[..], &[0], &envelope.0].concat()));
            }
        }
    }
    // One of each algorithm is enough for those that look at no cryptography.
    let keep_all = case.name.starts_with("key") && !case.name.starts_with("key-");
    seeds.retain(|(target, bytes)| bytes.len() < MAX_SEED_BYTES && (keep_all || *target != "policy"));
    seeds
}

fn bundle_seeds(name: &str, bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = vec![("bundle", bytes.to_vec())];
    if name.starts_with("keyless") {
        seeds.extend(["decide", "json", "canonical_json"].map(|target| (target, bytes.to_vec())));
    }
    let Ok(bundle) = Bundle::parse(bytes) else { return seeds };
    if let signet_formats::bundle::Content::Dsse(envelope) = &bundle.content {
        seeds.push(("in_toto", envelope.payload.clone()));
    }
    if let Material::Certificate(der) = &bundle.material {
        seeds.push(("x509", der.clone()));
        seeds.push(("pem", signet_formats::pem::encode("CERTIFICATE", der).into_bytes()));
        seeds.push(("base64", base64::encode(der).into_bytes()));
        let scts = Certificate::from_der(der).ok().and_then(|certificate| sct_list(&certificate));
        seeds.extend(scts.map(|list| ("sct", list)));
    }
    for entry in &bundle.tlog_entries {
        seeds.push(("rekor_body", entry.body.clone()));
        let wire: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        let wire = wire.pointer("/verificationMaterial/tlogEntries/0").cloned().unwrap_or_default();
        seeds.push(("rekor_entry", wire.to_string().into_bytes()));
        seeds.extend(logged_request(entry).map(|request| ("rekor_request", request)));
        let Some(proof) = &entry.proof else { continue };
        let hashes: Vec<u8> = proof.hashes.iter().flat_map(|hash| hash.as_bytes().to_vec()).collect();
        let numbers = [proof.log_index.to_be_bytes(), proof.tree_size.to_be_bytes()].concat();
        seeds.push(("merkle", [numbers, hashes].concat()));
        seeds.extend(entry_proof(proof).map(|proof| ("tlog", proof)));
        let checkpoint = proof.checkpoint.clone().unwrap_or_default().into_bytes();
        seeds.extend([("note", checkpoint.clone()), ("checkpoint", checkpoint)]);
    }
    for stamp in &bundle.timestamps {
        seeds.push(("timestamp", stamp.clone()));
        let token = signet_formats::timestamp::TimestampToken::from_response(stamp);
        seeds.extend(token.map(|token| ("cms", token.der().to_vec())));
    }
    seeds
}

/// The request that had Rekor v2 log the entry.
fn logged_request(entry: &TlogEntry) -> Option<Vec<u8>> {
    let Body::HashedRekordV002(body) = entry.decode_body().ok()? else { return None };
    let request = HashedRekordRequest { digest: body.digest.as_bytes().to_vec(), signature: body.signature };
    request.to_json().ok()
}

/// The proof in a file of its own.
fn entry_proof(proof: &InclusionProof) -> Option<Vec<u8>> {
    let hashes: Option<Vec<_>> = proof.hashes.iter().map(|hash| hash.as_bytes().try_into().ok()).collect();
    let checkpoint = SignedCheckpoint::parse(proof.checkpoint.as_deref()?.as_bytes()).ok()?;
    Some(EntryProof { index: proof.log_index, hashes: hashes?, checkpoint }.to_string().into_bytes())
}

/// A repository of trust with a delegation, and a bundle of it.
fn trust_seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "team", &["team/*", "?"], true, Key::p256());
    repository.add_target("team", "team/root", b"content");
    repository.publish(&["team", "targets", "snapshot", "timestamp"]);
    let (targets, metadata): (BTreeMap<_, _>, BTreeMap<_, _>) =
        repository.files.into_iter().partition(|(name, _)| name.starts_with("targets/"));
    let bundle =
        TrustBundle { created: 1_795_000_000, max_age: Some(3_600), metadata: metadata.clone(), targets };
    let bundle = bundle.to_json().unwrap_or_default().into_bytes();
    let metadata = metadata.into_iter().map(|(name, bytes)| ("tuf", name, bytes));
    metadata.chain([("trust_bundle", "bundle".to_owned(), bundle)]).collect()
}

/// The list inside the extension's two OCTET STRINGs, of which the outer one is taken off already.
fn sct_list(certificate: &Certificate) -> Option<Vec<u8>> {
    let value = certificate.extension(signet_formats::x509::oid::SCT_LIST)?;
    let at = (0..value.len())
        .find(|at| value.get(*at..).is_some_and(|rest| signet_formats::sct::read_list(rest).is_ok()))?;
    value.get(at..).map(<[u8]>::to_vec)
}

/// Larger ones slow the fuzzer down more than they help it.
const MAX_SEED_BYTES: usize = 6 * 1024;

/// Documents that no signing makes.
const BY_HAND: &[(&str, &str, &str)] = &[
    (
        "bundle",
        "array",
        r#"["application/vnd.dev.sigstore.bundle.v0.3+json",{"publicKey":{"hint":"k"}},{"messageDigest":["SHA2_256","AAAA"],"signature":"AAAA"}]"#,
    ),
    ("json", "array", r#"[{"a":1},["a",1],[["a",[1,{"b":[]}]]]]"#),
    (
        "rekor_request",
        "array",
        r#"{"hashedRekordRequestV002":["AAAA",["AAAA",{"publicKey":["AAAA"],"keyDetails":5}]]}"#,
    ),
    ("rekor_body", "array", r#"["0.0.2","hashedrekord",[["AAAA","SHA2_256"],["AAAA",{}]]]"#),
    ("time", "utc", "2026-11-21T12:00:00Z"),
    ("time", "offset", "2026-11-21T12:00:00.999+05:30"),
    (
        "oci_reference",
        "full",
        "registry.example.com:5000/a/b_c/d:v1.2@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    ("oci_reference", "short", "alpine"),
    ("oci_reference", "ipv6", "[::1]:5000/image:latest"),
    (
        "oci_manifest",
        "image",
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"annotations":{"a":"b"}}"#,
    ),
    (
        "oci_manifest",
        "index",
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"platform":{"architecture":"amd64","os":"linux"}}]}"#,
    ),
    (
        "policy",
        "yaml",
        "apiVersion: signet.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: example}\nspec:\n  principals:\n    release:\n      certificate:\n        identity: {pattern: '^https://example\\.com/.*$'}\n        issuer: https://issuer.example.com\n        claims: {sourceRepositoryRef: refs/heads/main}\n  rules:\n  - name: signed\n    principals: [release]\n    threshold: 1\n  repository: deny\n",
    ),
    (
        "rekor_v1",
        "log",
        r#"{"rootHash":"00","signedTreeHead":"rekor.example.com - 2\n9\nAA==\n","treeID":"2","treeSize":9,"inactiveShards":[{"rootHash":"00","signedTreeHead":"rekor.example.com - 1\n7\nAA==\n","treeID":"3904496407287907110","treeSize":7}]}"#,
    ),
    (
        "rekor_v1",
        "proof",
        r#"{"rootHash":"2222222222222222222222222222222222222222222222222222222222222222","hashes":["1111111111111111111111111111111111111111111111111111111111111111","3333333333333333333333333333333333333333333333333333333333333333"]}"#,
    ),
    (
        "jwt",
        "es256",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLmNvbSIsInN1YiI6InMiLCJhdWQiOlsic2lnc3RvcmUiXSwiZXhwIjoxNzk1MjYyNDAwLCJpYXQiOjE3OTUyNjIzMDAsImVtYWlsIjoiYUBleGFtcGxlLmNvbSIsImVtYWlsX3ZlcmlmaWVkIjp0cnVlfQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ),
    ("tlog", "entries", "tile/entries/x001/067.p/2\0\0\x03abc\0\0"),
    ("tlog", "tile", "tile/0/000.p/1\0abcdefghijklmnopqrstuvwxyz012345"),
    ("local_bundle", "plain", r#"{"base64Signature":"AAAA","cert":"","rekorBundle":null}"#),
    (
        "trusted_root",
        "empty",
        r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[{"baseUrl":"https://log.example.com","hashAlgorithm":"SHA2_256","publicKey":{"rawBytes":"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=","keyDetails":"PKIX_ED25519","validFor":{"start":"2026-01-01T00:00:00Z"}},"logId":{"keyId":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}],"certificateAuthorities":[],"ctlogs":[],"timestampAuthorities":[]}"#,
    ),
    (
        "signing_config",
        "v0.2",
        r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","caUrls":[{"url":"https://ca.example","majorApiVersion":1,"validFor":{"start":"2026-01-01T00:00:00Z"},"operator":"example"}],"oidcUrls":[],"rekorTlogUrls":[{"url":"https://log.example","majorApiVersion":2,"validFor":{"start":"2026-01-01T00:00:00Z","end":"2027-01-01T00:00:00Z"},"operator":"example"}],"rekorTlogConfig":{"selector":"EXACT","count":1},"tsaUrls":[{"url":"https://tsa.example/api/v1/timestamp","majorApiVersion":1,"validFor":{"start":"2026-01-01T00:00:00Z"},"operator":"example"}],"tsaConfig":{"selector":"ANY"}}"#,
    ),
];
