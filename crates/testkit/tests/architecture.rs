//! The house rules that no compiler knows: who may depend on whom, which crates are pure, links that
//! resolve.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{
    DepKindInfo, DependencyKind, Metadata, MetadataCommand, Node, NodeDep, Package, PackageId,
};

/// The arrows of the house, all of them downward: a crate and what of the workspace it may use.
const ARROWS: [(&str, &[&str]); 15] = [
    ("signet-platform", &[]),
    ("signet-crypto", &[]),
    ("signet-formats", &["crypto"]),
    ("signet-verify", &["crypto", "formats"]),
    ("signet-images", &["crypto", "formats", "verify"]),
    ("signet-http", &[]),
    ("signet-registry", &["crypto", "formats", "platform", "verify", "http"]),
    ("signet-clients", &["crypto", "formats", "verify", "http"]),
    ("signet-keys", &["crypto", "formats", "platform", "verify"]),
    ("signet-store", &["crypto", "formats", "platform", "verify"]),
    ("signet-services", &["crypto", "formats", "verify", "keys", "store"]),
    (
        "signet-server",
        &[
            "crypto", "formats", "platform", "verify", "images", "http", "registry", "keys", "store",
            "services",
        ],
    ),
    (
        "signet-cli",
        &[
            "crypto", "formats", "platform", "verify", "images", "registry", "clients", "keys", "store",
            "services", "server",
        ],
    ),
    ("signet-testkit", &["crypto", "formats", "verify", "keys"]),
    (
        "xtask",
        &[
            "crypto", "formats", "verify", "images", "registry", "keys", "store", "services", "server",
            "testkit",
        ],
    ),
];

/// Pure: no clock, no I/O, no environment, no threads, no randomness, no runtime.
const PURE: [&str; 3] = ["crypto", "formats", "verify"];

/// Who uses the cryptographic provider.
const PROVIDER_USERS: [&str; 4] = ["signet-crypto", "signet-keys", "rustls", "rustls-webpki"];

/// What a pure crate's `clippy.toml` refuses at least.
const IMPURE_CALLS: [&str; 12] = [
    "std::time::SystemTime::now",
    "std::time::Instant::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::env::var",
    "std::env::args",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
    "std::fs::File::open",
    "std::net::TcpStream::connect",
    "std::process::Command::new",
];

/// Libraries that bring a clock, a runtime, a network or randomness of their own.
const IMPURE_LIBRARIES: [&str; 9] =
    ["tokio", "reqwest", "hyper", "axum", "rand", "getrandom", "chrono", "tempfile", "rustls"];

#[test]
fn every_arrow_points_down() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let members: BTreeSet<&str> =
        metadata.workspace_packages().iter().map(|member| member.name.as_str()).collect();
    assert_eq!(members, allowed.keys().copied().collect(), "crates of the workspace and of the table");
    for member in metadata.workspace_packages() {
        for used in shipped_dependencies(member) {
            let Some(short) = members.get(used).map(|name| name.trim_start_matches("signet-")) else {
                continue;
            };
            assert!(allowed[member.name.as_str()].contains(&short), "{} must not use {used}", member.name);
        }
    }
}

#[test]
fn only_crypto_keys_and_the_tls_stack_use_the_provider() {
    let metadata = metadata();
    let users = shipped_nodes(&metadata)
        .into_iter()
        .filter(|node| node.deps.iter().any(|used| used.name.starts_with("aws_lc") && ships(used)))
        .map(|node| metadata[&node.id].name.as_str())
        .filter(|name| !name.starts_with("aws-lc"));
    assert_eq!(users.collect::<BTreeSet<_>>(), BTreeSet::from(PROVIDER_USERS));
}

#[test]
fn pure_crates_use_nothing_impure() {
    for member in metadata().workspace_packages() {
        if PURE.contains(&member.name.trim_start_matches("signet-")) {
            let impure: Vec<_> =
                shipped_dependencies(member).filter(|name| IMPURE_LIBRARIES.contains(name)).collect();
            assert!(impure.is_empty(), "{} uses {impure:?}", member.name);
        }
    }
}

#[test]
fn the_lints_of_pure_crates_refuse_impure_calls() {
    for name in PURE {
        let file = root().join("crates").join(name).join("clippy.toml");
        let lints = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for call in IMPURE_CALLS {
            let refused = lints.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with('{') && line.contains(&format!("path = \"{call}\""))
            });
            assert!(refused, "{} does not refuse {call}", file.display());
        }
    }
}

/// What differs between systems is in one crate (docs/decisions/0009); a signal is waited for where the runtime
/// is, the SPIFFE Workload API is a socket of Unix that is asked with the runtime, and the bound of the clock's error is asked for where a timestamp depends on it.
#[test]
fn one_crate_asks_for_the_operating_system() {
    let asks = ["cfg(unix)", "cfg(windows)", "cfg(not(unix))", "cfg(target_os", "cfg!(windows", "std::os::"];
    let mut found = BTreeSet::new();
    for file in files(&root().join("crates"), "rs") {
        let text = fs::read_to_string(&file).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        let place = file.strip_prefix(root()).expect("it is below the root").display().to_string();
        if place.contains("/src/") && asks.iter().any(|ask| shipped.contains(ask)) {
            found.insert(place);
        }
    }
    let allowed = [
        "crates/cli/src/runtime.rs",
        "crates/clients/src/oidc/ambient/spiffe.rs",
        "crates/platform/src/elsewhere.rs",
        "crates/platform/src/lib.rs",
        "crates/platform/src/unix.rs",
        "crates/services/src/tsa/bound.rs",
    ];
    assert_eq!(found, allowed.map(str::to_owned).into());
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lints = workspace.split("[workspace.lints.rust]").nth(1).expect("the workspace has lints");
    assert!(lints.split('[').next().unwrap().contains("unsafe_code = \"forbid\""));
    for member in metadata().workspace_packages() {
        let manifest = fs::read_to_string(&member.manifest_path).unwrap();
        let inherits = manifest
            .split("[lints]")
            .nth(1)
            .is_some_and(|rest| rest.trim_start().starts_with("workspace = true"));
        assert!(inherits, "{} does not inherit the workspace's lints", member.name);
    }
}

#[test]
fn every_relative_link_in_the_documents_leads_somewhere() {
    let mut broken = Vec::new();
    for document in files(&root(), "md") {
        let text = fs::read_to_string(&document).unwrap();
        let folder = document.parent().expect("a document lies in a folder");
        for target in relative_links(&text) {
            if !folder.join(target).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn links_are_found_outside_code_only() {
    let text = "[a](b.md) [c](d/e.md#part) [f](https://x.example) [g](#here)\n```\n[no](code.md)\n```\n`[no](too.md)`";
    assert_eq!(relative_links(text).collect::<Vec<_>>(), ["b.md", "d/e.md"]);
}

fn metadata() -> Metadata {
    let manifest = root().join("Cargo.toml");
    let locked = ["--locked", "--offline"].map(str::to_owned).to_vec();
    MetadataCommand::new().manifest_path(manifest).other_options(locked).exec().expect("cargo metadata works")
}

/// Names of normal and build dependencies, those of every platform and feature included.
fn shipped_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

/// The packages that the `signet` program is built from, itself included.
fn shipped_nodes(metadata: &Metadata) -> Vec<&Node> {
    let graph = metadata.resolve.as_ref().expect("metadata holds the resolved graph");
    let nodes: BTreeMap<&PackageId, &Node> = graph.nodes.iter().map(|node| (&node.id, node)).collect();
    let is_program = |node: &&Node| metadata[&node.id].name.as_str() == "signet-cli";
    let mut pending: Vec<&Node> = nodes.values().copied().filter(is_program).collect();
    let mut shipped = BTreeMap::new();
    while let Some(node) = pending.pop() {
        if shipped.insert(&node.id, node).is_none() {
            let used = node.deps.iter().filter(|used| ships(used));
            pending.extend(used.filter_map(|used| nodes.get(&used.pkg)));
        }
    }
    shipped.into_values().collect()
}

fn ships(dependency: &NodeDep) -> bool {
    dependency.dep_kinds.iter().any(|kind: &DepKindInfo| kind.kind != DependencyKind::Development)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace has a root")
}

/// Every file of the project that ends so, nothing hidden and nothing built.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the project can be read") {
        let path = entry.expect("the project can be read").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

/// The targets of inline links to files, without their fragment.
fn relative_links(text: &str) -> impl Iterator<Item = &str> {
    let outside_fences = text.split("```").step_by(2);
    let prose = outside_fences.flat_map(|part| part.split('`').step_by(2));
    prose
        .flat_map(|part| part.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains(':'))
}
