//! The schema of the policy file says what the program takes: of every policy in the docs, and of what is no policy.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;
use signet_testkit::{Outcome, Sandbox};

use crate::{run, with_keys};

#[test]
fn every_policy_in_the_docs_fits_the_schema_and_is_taken() {
    let judge = Judge::new();
    let mut seen = 0;
    for page in pages(&root().join("docs")) {
        for policy in policies(&fs::read_to_string(&page).expect("a page can be read")) {
            let policy = judge.with_keys(&policy);
            assert!(judge.fits(&policy), "{}: {policy}", page.display());
            let outcome = judge.take(&policy);
            assert!(!outcome.says("SGN-3006"), "{}: {outcome}", page.display());
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen} policies");
}

#[test]
fn what_is_no_policy_fits_neither_the_schema_nor_the_program() {
    let judge = Judge::new();
    assert!(judge.fits(POLICY) && !judge.take(POLICY).says("SGN-3006"));
    let cases = [
        ("v1alpha1", "v9"),
        ("ImagePolicy", "Policy"),
        ("metadata:", "metdata:"),
        ("  name: release", "  names: release"),
        ("pattern: ^", "pattern: "),
        (".*$", ".*"),
        ("issuer: https", "issuers: https"),
        ("sourceRepositoryRef", "sourceRepositoryReference"),
        ("[ci]", "[]"),
        ("[ci]", "ci"),
        ("threshold: 1", "threshold: 0"),
        ("threshold: 1", "threshold: one"),
        ("threshold: 1", "logEntry: 1"),
        ("repository: deny", "repository: allow"),
        ("  rules:\n    - name: built-by-ci\n      principals: [ci]\n      threshold: 1\n", "  rules: []\n"),
    ];
    for (from, to) in cases {
        let other = POLICY.replace(from, to);
        assert_ne!(other, POLICY, "{from}");
        assert!(!judge.fits(&other), "the schema takes {other}");
        judge.take(&other).exits(2).refuses_saying(&["SGN-3006"]);
    }
}

const POLICY: &str = "
apiVersion: signet.dev/v1alpha1
kind: ImagePolicy
metadata:
  name: release
spec:
  repository: deny
  principals:
    ci:
      certificate:
        identity:
          pattern: ^https://github.com/acme/.*$
        issuer: https://token.actions.githubusercontent.com
        claims:
          sourceRepositoryRef: refs/heads/main
  rules:
    - name: built-by-ci
      principals: [ci]
      threshold: 1
";

struct Judge {
    sandbox: Sandbox,
    schema: Validator,
}

impl Judge {
    fn new() -> Self {
        let path = root().join("docs/reference/schemas/image-policy.v1alpha1.json");
        let schema = fs::read(&path).expect("the schema is committed");
        let schema = serde_json::from_slice(&schema).expect("a schema is JSON");
        let schema = jsonschema::draft202012::new(&schema).expect("it is a schema");
        Self { sandbox: with_keys(), schema }
    }

    /// A policy with a real key wherever a page has a command that prints one.
    fn with_keys(&self, policy: &str) -> String {
        let key = String::from_utf8(self.sandbox.read("my.pub")).expect("a PEM file is text");
        let key: String = key.lines().map(|line| format!("        {line}\n")).collect();
        let lines = policy.lines().map(|line| match line.starts_with("$(") {
            true => key.clone(),
            false => format!("{line}\n"),
        });
        lines.collect()
    }

    fn fits(&self, policy: &str) -> bool {
        let value: Value =
            serde_saphyr::from_str(policy).unwrap_or_else(|error| panic!("{error} in {policy}"));
        self.schema.is_valid(&value)
    }

    /// What the program says of it. Nothing answers at the image's address, which comes after the policy.
    fn take(&self, policy: &str) -> Outcome {
        self.sandbox.write("policy.yaml", policy);
        run(&self.sandbox, &["verify", "--policy", "policy.yaml", "127.0.0.1:1/app:1"])
    }
}

/// The policies of a page: from the line that names the version to the end of the block or here-document.
fn policies(page: &str) -> Vec<String> {
    let mut policies = Vec::new();
    let mut lines = page.lines();
    while lines.any(|line| line.starts_with("apiVersion: signet.dev/v1alpha1")) {
        let rest = lines.by_ref().take_while(|line| *line != "EOF" && !line.starts_with("```"));
        let rest: String = rest.map(|line| format!("{line}\n")).collect();
        // Other files that people write have the same version.
        if rest.contains("kind: ImagePolicy\n") {
            policies.push(format!("apiVersion: signet.dev/v1alpha1\n{rest}"));
        }
    }
    policies
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder can be listed");
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    let found = paths.flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
