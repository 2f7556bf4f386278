//! What the threat model says of our tests is so.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let tests = sources(&root().join("crates")).concat();
    let text = threat_model();
    let named: Vec<&str> = named(&text).collect();
    assert!(named.len() > 20, "{named:#?}");
    let missing: Vec<_> = named.iter().filter(|name| !tests.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_published_weakness_names_a_test() {
    let text = threat_model();
    let table = text.split("| published as |").nth(1).and_then(|rest| rest.split("\n\n").next());
    let rows: Vec<&str> = table.expect("the table is there").lines().skip(2).collect();
    assert!(rows.len() > 10, "{rows:#?}");
    for row in rows {
        assert!(named(row).next().is_some(), "{row}");
    }
}

/// The words between backticks that can only be functions.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.contains('_') && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

fn threat_model() -> String {
    fs::read_to_string(root().join("docs/explanation/threat-model.md")).expect("the threat model is there")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust source below the folder.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the project can be read") {
        let path = entry.expect("the project can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(fs::read_to_string(path).expect("the project can be read"));
        }
    }
    found
}
