//! The corpus of sigstore-conformance: 70 directories, the artifact given by path and by digest, each
//! with its right verdict and, where that is a no, for the reason in `conformance-codes.txt`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use signet_crypto::Digest;
use signet_testkit::{Outcome, Sandbox, vectors};

/// `DIRECTORY CODE`, one a line: the code that must be the reason of the refusal.
const CODES: &str = include_str!("conformance-codes.txt");
/// How many directories the corpus has; fewer found would be a pass by absence.
const DIRECTORIES: usize = 70;
/// Who signed what says nothing else.
const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/\
                        .github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

#[test]
fn every_bundle_of_the_corpus_gets_the_right_verdict_for_the_right_reason() {
    let Some(sigstore) = vectors("sigstore") else { return };
    let codes = codes();
    let cases = cases(&sigstore);
    assert_eq!(cases.len(), DIRECTORIES, "directories of the corpus");
    let sandbox = Sandbox::new();
    let wrong: Vec<String> = cases.iter().flat_map(|case| case.wrong(&sandbox, &codes)).collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), 2 * DIRECTORIES, wrong.join("\n"));
}

#[test]
fn the_table_names_exactly_the_directories_that_must_fail() {
    let Some(sigstore) = vectors("sigstore") else { return };
    let must_fail: Vec<String> =
        cases(&sigstore).into_iter().filter(Case::must_fail).map(|case| case.name).collect();
    let named: Vec<String> = codes().into_keys().map(str::to_owned).collect();
    assert_eq!(named, must_fail);
}

fn codes() -> BTreeMap<&'static str, &'static str> {
    CODES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap_or_else(|| panic!("not `DIRECTORY CODE`: {line}")))
        .collect()
}

fn cases(sigstore: &Path) -> Vec<Case> {
    let corpus = sigstore.join("bundle-verify");
    let entries = fs::read_dir(corpus).expect("the corpus can be read");
    let mut cases: Vec<Case> = entries
        .map(|entry| entry.expect("the corpus can be read").path())
        .filter(|path| path.is_dir())
        .map(|folder| Case::new(folder, sigstore))
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

struct Case {
    name: String,
    folder: PathBuf,
    artifact: PathBuf,
    trusted_root: PathBuf,
}

impl Case {
    fn new(folder: PathBuf, sigstore: &Path) -> Self {
        let name = folder.file_name().expect("a directory has a name").to_string_lossy().into_owned();
        let or = |own: &str, common: &str| {
            let own = folder.join(own);
            if own.exists() { own } else { sigstore.join(common) }
        };
        let artifact = or("artifact", "bundle-verify/a.txt");
        let trusted_root = or("trusted_root.json", "public-good-trusted_root.json");
        Self { name, artifact, trusted_root, folder }
    }

    fn must_fail(&self) -> bool {
        self.name.ends_with("_fail")
    }

    /// What is wrong with the two verdicts, a line each.
    fn wrong(&self, sandbox: &Sandbox, codes: &BTreeMap<&str, &str>) -> Vec<String> {
        let path = self.artifact.display().to_string();
        let digest = Digest::sha256(&fs::read(&self.artifact).expect("an artifact can be read")).to_string();
        [("path", path), ("digest", digest)]
            .into_iter()
            .filter_map(|(mode, input)| {
                let outcome = self.verify(sandbox, &input);
                let reason = codes.get(self.name.as_str()).copied();
                self.fault(&outcome, reason).map(|fault| format!("{} by {mode}: {fault}", self.name))
            })
            .collect()
    }

    fn fault(&self, outcome: &Outcome, reason: Option<&str>) -> Option<String> {
        if !self.must_fail() {
            return (outcome.code != Some(0)).then(|| format!("refused: {outcome}"));
        }
        let Some(reason) = reason else { return Some(format!("no reason in the table: {outcome}")) };
        match outcome.code {
            Some(1 | 2) if headline(outcome) == Some(reason) => None,
            Some(1 | 2) => Some(format!("not for the reason {reason}: {outcome}")),
            _ => Some(format!("no refusal: {outcome}")),
        }
    }

    /// The protocol of the corpus' own runner, arguments in its order.
    fn verify(&self, sandbox: &Sandbox, input: &str) -> Outcome {
        let text = |path: &Path| path.display().to_string();
        let (bundle, root) = (text(&self.folder.join("bundle.sigstore.json")), text(&self.trusted_root));
        let mut args = vec!["conformance", "verify-bundle", "--bundle", &bundle];
        let key = text(&self.folder.join("key.pub"));
        let (identity, issuer) = (self.line("identity", IDENTITY), self.line("issuer", ISSUER));
        if Path::new(&key).exists() {
            args.extend(["--key", &key]);
        } else {
            args.extend(["--certificate-identity", &identity, "--certificate-oidc-issuer", &issuer]);
        }
        args.extend(["--trusted-root", &root, input]);
        sandbox.run(env!("CARGO_BIN_EXE_signet"), &args)
    }

    fn line(&self, file: &str, default: &str) -> String {
        fs::read_to_string(self.folder.join(file)).map_or(default.to_owned(), |line| line.trim().to_owned())
    }
}

/// The code that a refusal is headed by; further down stands all else that is wrong.
fn headline(outcome: &Outcome) -> Option<&str> {
    let said = if outcome.stdout.is_empty() { &outcome.stderr } else { &outcome.stdout };
    let at = said.find("SGN-")?;
    said.get(at..at + "SGN-0000".len())
}
