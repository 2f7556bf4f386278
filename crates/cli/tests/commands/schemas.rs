//! The documents of `--output json` are what their committed schemas say, and the schemas say it of every field.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;
use signet_testkit::{RegistryServer, Sandbox, request};

use crate::service;
use crate::{run, signet, with_keys};

#[test]
fn every_field_of_every_schema_is_described() {
    for path in schema_files() {
        let schema = read(&path);
        let definitions = schema["$defs"].as_object().into_iter().flatten().map(|(_, schema)| schema);
        for object in definitions.chain([&schema]) {
            for (field, said) in object["properties"].as_object().into_iter().flatten() {
                let described = said["description"].as_str().is_some_and(|text| text.len() > 8);
                assert!(described, "{}: {field}: {said}", path.display());
            }
        }
    }
}

#[test]
fn every_code_is_in_the_schema_and_no_other() {
    let schema = read(&folder().join("error.v1.json"));
    let codes: Vec<&str> = strings(&schema["$defs"]["Code"]["enum"]);
    let table: Vec<String> = signet_verify::Code::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(codes, table);
}

#[test]
fn what_the_commands_print_fits_its_schema() {
    let mut judge = Judge { sandbox: with_keys(), seen: BTreeSet::new() };
    let server = RegistryServer::signet(signet());
    let repository = server.repository("app");
    repository.push_index("1", "content");
    judge.images(&repository.tagged("1"), &server.repository("mirror").tagged("1"));
    judge.files();
    judge.data_directory();
    judge.log();
    judge.trust();
    judge.stack();
    judge.authority();
    judge.command(0, &["explain"]);
    judge.command(0, &["demo"]);
    let printed = schema_files().iter().filter_map(|path| name_in(&read(path))).collect();
    assert_eq!(judge.seen, printed);
}

/// A document with something missing, or of another kind, is refused: the schemas can fail.
#[test]
fn a_document_that_is_not_what_it_says_is_refused() {
    let sandbox = with_keys();
    let printed = run(&sandbox, &["keys", "inspect", "my.pub", "--output", "json"]).exits(0).stdout;
    let document: Value = serde_json::from_str(&printed).expect("one document");
    let validator = validator("key.v1.json");
    assert!(validator.is_valid(&document));
    for field in ["schema", "kind", "format"] {
        let mut less = document.clone();
        less.as_object_mut().expect("an object").remove(field);
        assert!(!validator.is_valid(&less), "{field} may not be absent");
    }
    for (field, wrong) in [("schema", "signet.dev/key/v2"), ("id", "sha256:short")] {
        let mut other = document.clone();
        other[field] = wrong.into();
        assert!(!validator.is_valid(&other), "{field} may not be {wrong}");
    }
}

/// Runs commands and holds what they print against the schemas.
struct Judge {
    sandbox: Sandbox,
    seen: BTreeSet<String>,
}

impl Judge {
    fn images(&mut self, image: &str, mirror: &str) {
        self.command(1, &["verify", "--key", "my.pub", image]);
        self.command(0, &["sign", "--key", "my.key", image]);
        self.command(0, &["sign", "--key", "my.key", image]);
        self.command(0, &["sign", "--key", "my.key", "--format", "cosign-legacy", image]);
        self.command(0, &["verify", "--key", "my.pub", image]);
        self.command(1, &["verify", "--key", "other.pub", image]);
        self.command(3, &["verify", "--key", "my.pub", "127.0.0.1:1/app:1"]);
        self.command(0, &["inspect", image]);
        self.command(0, &["inspect", "--key", "my.pub", image]);
        self.command(0, &["tree", image]);
        self.command(0, &["copy", image, mirror]);
        self.command(0, &["doctor", "--image", image]);
    }

    fn files(&mut self) {
        self.sandbox.write("file", "content");
        self.command(0, &["keys", "generate", "--out", "new"]);
        self.command(0, &["keys", "import", "--key", "new.key", "--out", "newer"]);
        self.command(0, &["keys", "inspect", "new.key"]);
        self.command(0, &["keys", "inspect", "new.pub"]);
        self.command(0, &["keys", "export-public", "--key", "new.pub"]);
        self.command(0, &["sign-blob", "--key", "my.key", "--bundle", "b.json", "file"]);
        self.command(0, &["verify-blob", "--key", "my.pub", "--bundle", "b.json", "file"]);
        self.command(2, &["verify-blob", "--key", "my.pub", "--bundle", "none.json", "file"]);
        self.command(2, &["verify-blob", "--kye", "my.pub"]);
    }

    fn data_directory(&mut self) {
        let service = service::registry(&self.sandbox, "data");
        self.document(service.printed());
        drop(service);
        self.command(0, &["fsck", "--data", "data"]);
        self.command(0, &["registry", "gc", "--data", "data"]);
    }

    fn authority(&mut self) {
        self.document(service::serve(&self.sandbox, &["ca", "--data", "ca", "--dev"]).printed());
    }

    fn stack(&mut self) {
        let service = service::up(&self.sandbox, &["--dev"]);
        self.document(service.printed());
        drop(service);
        self.command(0, &["fsck", "--data", "up"]);
        self.command(0, &["backup", "--data", "up", "--out", "backup.tar"]);
        self.command(0, &["restore", "--from", "backup.tar", "--data", "restored"]);
    }

    fn log(&mut self) {
        let service = service::serve(&self.sandbox, &["log", "--data", "log", "--opaque"]);
        self.document(service.printed());
        request(service.address(), "POST", "/add", &[], b"entry").expect("the log answers");
        let log: Value = serde_json::from_str(service.printed()).expect("one document");
        let said = |pointer: &str| log.pointer(pointer).and_then(Value::as_str).expect("the log says it");
        let (url, key) = (said("/url"), said("/keys/0"));
        self.command(0, &["log", "monitor", "--once", "--state", "seen", "--url", url, "--key", key]);
        drop(service);
        self.document(service::serve(&self.sandbox, &["witness", "--data", "witness"]).printed());
        self.command(0, &["log", "fsck", "--data", "log"]);
        self.command(0, &["log", "freeze", "--data", "log"]);
        self.command(0, &["log", "proof", "--data", "log", "--index", "0"]);
        self.command(1, &["log", "search", "--data", "log"]);
        self.command(0, &["log", "rotate", "--data", "log"]);
        self.command(0, &["log", "export", "--data", "log", "--out", "exported"]);
    }

    fn trust(&mut self) {
        self.command(0, &["trust", "create", "--data", "trust", "--root-key", "my.pub"]);
        self.command(0, &["trust", "sign", "--key", "my.key", "trust/staged/root.json"]);
        self.sandbox.write("root.json", self.sandbox.read("trust/staged/root.json"));
        self.command(0, &["trust", "publish", "--data", "trust", "--rehearse"]);
        self.command(0, &["trust", "publish", "--data", "trust"]);
        self.command(0, &["trust", "init", "--root", "root.json", "--trust-dir", "there"]);
        let service = service::serve(&self.sandbox, &["trust", "--data", "trust"]);
        let url = format!("http://{}/tuf", service.address());
        self.command(0, &["trust", "init", "--root", "root.json", &url]);
        self.command(0, &["trust", "export", "--out", "trust.json", "--max-age-days", "30"]);
        self.command(0, &["trust", "import", "trust.json"]);
        self.command(0, &["trust", "rotate", "--data", "trust"]);
        self.sandbox.write("old.json", TRUSTED_ROOT);
        self.command(0, &["trust", "merge", "--retired", "old.json", "--out", "merged.json"]);
    }

    fn command(&mut self, status: i32, args: &[&str]) {
        let printed = run(&self.sandbox, &[args, &["--output", "json"]].concat()).exits(status).stdout;
        self.document(&printed);
    }

    fn document(&mut self, printed: &str) {
        let document: Value = serde_json::from_str(printed).unwrap_or_else(|e| panic!("{e} in {printed}"));
        let name = document
            .pointer("/schema")
            .and_then(Value::as_str)
            .expect("a document names its schema")
            .to_owned();
        let file = name.strip_prefix("signet.dev/").expect("our name").replace('/', ".") + ".json";
        if let Err(error) = validator(&file).validate(&document) {
            panic!("{name}: {error} at {} in {printed}", error.instance_path());
        }
        self.seen.insert(name);
    }
}

fn validator(file: &str) -> Validator {
    let schema = read(&folder().join(file));
    jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The name that the schema demands of a document that a command prints; none of a file that people write.
fn name_in(schema: &Value) -> Option<String> {
    let stated = schema.pointer("/properties/schema")?.get("const").and_then(Value::as_str);
    Some(stated.expect("a schema demands its name").to_owned())
}

fn schema_files() -> Vec<PathBuf> {
    listed(&folder()).into_iter().filter(|path| path.extension().is_some_and(|e| e == "json")).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schemas")
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    files.sort();
    files
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn read(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const TRUSTED_ROOT: &str = r#"{
    "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "timestampAuthorities": [{
        "subject": {"organization": "o", "commonName": "c"}, "uri": "https://tsa.example",
        "certChain": {"certificates": [{"rawBytes": "AQ=="}]}, "validFor": {"start": "2021-01-12T11:53:27Z"}
    }]
}"#;
