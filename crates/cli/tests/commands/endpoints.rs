//! The reference of endpoints lists what the servers have, and they have what it lists.

use std::fs;
use std::path::{Path, PathBuf};

use signet_formats::trusted_root::TrustedRoot;
use signet_testkit::{Sandbox, request};

use crate::service;

#[test]
fn every_endpoint_of_the_reference_is_served() {
    let sandbox = Sandbox::new();
    let config = "{apiVersion: signet.dev/v1alpha1, kind: Stack, admin: {listen: '127.0.0.1:0'}, log: {search: public}, witness: {enabled: true}}";
    sandbox.write("up.yaml", config);
    let service = service::up(&sandbox, &["--dev", "--config", "up.yaml"]);
    let root = TrustedRoot::parse(&sandbox.read("up/client/trusted_root.json")).expect("a trusted root");
    let name = root.ctlogs.first().expect("a log").base_url.replace("https://", "");
    let [stack, admin] = ["\n## Endpoints\n", "\nOn the admin address:\n"].map(listed);
    assert!(stack.len() > 15 && admin.len() == 3, "{stack:?} {admin:?}");
    for (address, paths) in [(service.address(), stack), (service.said("admin"), admin)] {
        for path in paths {
            let path =
                path.replace("NAME", &name).replace("KIND", "email").replace("HASH", "x").replace('…', "x");
            // No endpoint takes this, and each says so itself: what is not there is 404.
            let answer = request(address, "DELETE", &path, &[], &[]).expect("it answers");
            let is_there = [405, 401, 501].contains(&answer.status) || path.starts_with("/v2/");
            assert!(is_there, "{path}: {}", answer.status);
            let unknown = request(address, "DELETE", &format!("/no{path}"), &[], &[]).expect("it answers");
            assert_eq!(unknown.status, 404, "{path}");
        }
    }
}

#[test]
fn every_endpoint_that_is_served_is_in_the_reference() {
    let page: Vec<String> =
        ["\n## Endpoints\n", "\nOn the admin address:\n", "\nIn services by themselves:\n"]
            .iter()
            .flat_map(|head| listed(head))
            .map(|path| plain(&path))
            .collect();
    let routes = routes();
    assert!(routes.len() > 20, "{routes:?}");
    for route in routes {
        assert!(page.iter().any(|path| path.ends_with(&plain(&route))), "`{route}` is not in {page:?}");
    }
}

/// The paths in the first column of the table that comes after this line.
fn listed(head: &str) -> Vec<String> {
    let page = fs::read_to_string(checkout("docs/reference/stack.md")).expect("the page is there");
    let (_, rest) = page.split_once(head).unwrap_or_else(|| panic!("no {head}"));
    let rows =
        rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let spans = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    spans.filter_map(|span| Some(span.get(span.find('/')?..)?.to_owned())).collect()
}

/// The paths that the sources of the servers route.
fn routes() -> Vec<String> {
    let mut routes = Vec::new();
    let mut folders = vec![checkout("crates/server/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be listed") {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source is text");
            let literals = text.split(".route(").skip(1).filter_map(|rest| {
                let (before, literal) = rest.split_once('"')?;
                let (path, _) = literal.split_once('"')?;
                before
                    .trim_matches(['\n', ' ', '&'])
                    .trim_start_matches("format!(")
                    .is_empty()
                    .then_some(path)
            });
            routes.extend(
                literals
                    .map(|path| path.replace("{prefix}", "/api/v2").replace("{{", "{").replace("}}", "}")),
            );
        }
    }
    routes
}

/// A path in which `{}` stands for whatever differs.
fn plain(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let differs = segment.starts_with('{')
            || segment == "…"
            || (!segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_uppercase()));
        if differs { "{}" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
