//! Every parser of outside bytes is fuzzed, and every target is one that is run.
#![expect(clippy::unwrap_used, reason = "the files are ours")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What reads bytes or text of others and is not named by a target, and by which of those that are it is reached.
const REACHED: [(&str, &str); 22] = [
    ("Bundle::parse_with", "Bundle::parse"),
    ("EntryBundle::from_data_path", "Resource"),
    ("EntryFacts::of", "Body::parse"),
    ("ManifestKind::of_media_type", "Manifest::parse"),
    ("Metadata::parse", "tuf::Metadata"),
    ("Note::new", "Note::parse"),
    ("NoteSignature", "Note::parse"),
    ("PathPattern::new", "tuf::Targets"),
    ("PublicKeyDetails::from_name", "TrustedRoot::parse"),
    ("Registry::new", "Reference"),
    ("Repository", "Reference"),
    ("Tag", "Reference"),
    ("TileLeaf::parse", "tile_leaves"),
    ("TileLeaf::split", "tile_leaves"),
    ("Verifier::from_pem", "Body::parse"),
    ("VerifierKey::log", "VerifierKey"),
    ("VerifierKey::witness", "VerifierKey"),
    ("VerifierKey::certificate_log", "VerifierKey"),
    ("Version::of_media_type", "Bundle::parse"),
    ("certificates_from_pem", "pem::parse"),
    ("log_key", "TrustedRoot::parse"),
    ("parse_part", "json::parse"),
];

/// What takes text and is no parser of others' bytes: it writes, or joins names that were read.
const NO_PARSERS: [&str; 5] = ["file_name", "versioned", "target_url", "signed_certificate", "single"];

#[test]
fn every_parser_of_formats_is_named_by_a_target() {
    let targets = read_all(&root().join("fuzz/src"));
    let parsers = parsers();
    assert!(parsers.len() > 50, "the parsers are found: {parsers:?}");
    for parser in &parsers {
        let reached = REACHED.iter().find(|(name, _)| name == parser).map(|(_, through)| *through);
        let named = names(&targets, reached.unwrap_or(parser)) || NO_PARSERS.contains(&parser.as_str());
        assert!(
            named,
            "no fuzz target reads `{parser}`: name it in `fuzz/src`, or here through what it is reached"
        );
    }
    let known = REACHED.iter().map(|(name, _)| *name).chain(NO_PARSERS);
    for name in known {
        assert!(parsers.contains(name), "`{name}` is gone: take it out of the table");
    }
}

#[test]
fn every_target_is_built_has_seeds_and_a_row_of_its_runs() {
    let fuzz = root().join("fuzz");
    let [manifest, page] =
        ["Cargo.toml", "README.md"].map(|name| fs::read_to_string(fuzz.join(name)).unwrap());
    let targets = read_all(&fuzz.join("src"));
    for file in files(&fuzz.join("fuzz_targets")) {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(targets.contains(&format!("pub fn {name}(")), "`{name}` holds nothing");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "`{name}` is not built");
        assert!(page.contains(&format!("| `{name}` ")), "`{name}` has no row in fuzz/README.md");
        assert!(!files(&fuzz.join("seeds").join(&name)).is_empty(), "`{name}` has no seeds");
    }
}

/// The functions of `formats` that make something of bytes or text, or say why not: `Type::function`, `function`,
/// and `Type` for what is read by `FromStr`.
fn parsers() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files(&root().join("crates/formats/src")) {
        let text = fs::read_to_string(&file).unwrap();
        let shipped = text.split("#[cfg(test)]\nmod").next().unwrap();
        let mut owner = None;
        for (at, line) in shipped.match_indices('\n').map(|(at, _)| (at + 1, rest_of_line(shipped, at + 1))) {
            match implemented(line) {
                Some((Some("FromStr"), name)) => drop(found.insert(name.to_owned())),
                Some((None, name)) => owner = Some(name),
                _ if line == "}" => owner = None,
                _ => {}
            }
            let signature = shipped[at..].split([';', '{']).next().unwrap();
            if let Some(function) = line.trim_start().strip_prefix("pub fn ").filter(|_| reads(signature)) {
                let name = function.split(['(', '<']).next().unwrap();
                found.insert(owner.map_or_else(|| name.to_owned(), |owner| format!("{owner}::{name}")));
            }
        }
    }
    found
}

/// Whether the first argument is bytes or text, and the result may be a refusal.
fn reads(signature: &str) -> bool {
    let arguments = signature.split_once('(').map_or("", |(_, arguments)| arguments.trim_start());
    let first = arguments.split([',', ')']).next().unwrap_or_default();
    let of = first.split_once(": ").map_or("", |(_, of)| of.trim_start_matches("impl Into<"));
    let borrowed = of.trim_start_matches('&').split(' ').next_back().unwrap_or_default();
    let refuses = signature.contains("-> Result") || signature.contains("-> Option");
    refuses && ["[u8]", "str", "Vec<u8>", "Vec<u8>>"].contains(&borrowed)
}

/// The trait, if it is of one, and the type of an `impl` that begins in this line.
fn implemented(line: &str) -> Option<(Option<&str>, &str)> {
    let rest = line.strip_prefix("impl")?;
    let rest = match rest.strip_prefix('<') {
        Some(rest) => rest.split_once("> ")?.1,
        None => rest.strip_prefix(' ')?,
    };
    let word = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    match rest.split_once(" for ") {
        Some((of, by)) => Some((Some(of), &by[..word(by)])),
        None => Some((None, &rest[..word(rest)])),
    }
}

/// Whether the text has the name, not as a part of another.
fn names(text: &str, name: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(name).any(|(at, _)| {
        !inside(text[..at].chars().next_back()) && !inside(text[at + name.len()..].chars().next())
    })
}

fn rest_of_line(text: &str, at: usize) -> &str {
    text[at..].lines().next().unwrap_or_default()
}

fn read_all(folder: &Path) -> String {
    files(folder).iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The files below the folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
