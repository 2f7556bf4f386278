//! The JSON Schemas of what is printed and of the files that people write, made from the types. Only tests make them:
//! `docs/reference/schemas` holds them.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::Value;
use signet_verify::Policy;

use crate::document::{self, Document};
use crate::stack::StackFile;

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schemas");
    let made = files();
    if env::var_os(REWRITE).is_some() {
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        made.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
    }
    let remedy = format!("run `{REWRITE}=1 cargo test -p signet-cli --bin signet schema`");
    let committed =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let committed: BTreeMap<String, String> =
        committed.map(|name| (name.clone(), fs::read_to_string(folder.join(name)).unwrap())).collect();
    assert!(made.keys().eq(committed.keys()), "{remedy}");
    for (name, text) in &made {
        assert!(committed[name] == *text, "{name}: {remedy}");
    }
}

/// A file for each schema, and the page that lists them.
fn files() -> BTreeMap<String, String> {
    let (printed, written) = (document::schemas(), [PublishedSchema::policy(), PublishedSchema::stack()]);
    let files = printed.iter().chain(&written).map(|schema| {
        let json = serde_json::to_string_pretty(&schema.schema).unwrap();
        (schema.file.clone(), json + "\n")
    });
    let index = ("README.md".to_owned(), index(&printed, &written));
    files.chain([index]).collect()
}

fn index(printed: &[PublishedSchema], written: &[PublishedSchema]) -> String {
    let rows = |schemas: &[PublishedSchema]| schemas.iter().map(PublishedSchema::row).collect::<String>();
    format!(
        "# JSON documents\n\n<!-- Made of the types by a test, which holds it (`crates/cli/src/schema.rs`). -->\n\n\
         {PRINTED}\n\n| `schema` | what | printed by |\n|---|---|---|\n{}\n\
         {WRITTEN}\n\n| file | what | read by |\n|---|---|---|\n{}",
        rows(printed),
        rows(written),
    )
}

/// The schema of a document, and who prints or reads it.
pub(crate) struct PublishedSchema {
    /// The schema's name and version, which the document states.
    name: &'static str,
    /// The commands that print it, or read it.
    commands: &'static str,
    /// The name of its file.
    file: String,
    /// The schema, of draft 2020-12.
    schema: Schema,
}

impl PublishedSchema {
    /// The schema of `D`, which these commands print; `verify.v1.json` for `signet.dev/verify/v1`.
    pub(crate) fn printed<D: Document + JsonSchema>(commands: &'static str) -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut schema = settings.into_generator().into_root_schema_for::<D>();
        name(&mut schema, D::SCHEMA);
        RecursiveTransform(plain).transform(&mut schema);
        let file = D::SCHEMA.strip_prefix("signet.dev/").unwrap_or(D::SCHEMA).replace('/', ".");
        Self { name: D::SCHEMA, commands, file: format!("{file}.json"), schema }
    }

    /// The schema of the policy file.
    fn policy() -> Self {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        let mut schema = settings.into_generator().into_root_schema_for::<Policy>();
        let name = "signet.dev/v1alpha1 ImagePolicy";
        schema.insert("title".to_owned(), name.into());
        RecursiveTransform(plain).transform(&mut schema);
        let commands = "`signet verify --policy`, `signet serve registry --require-signed`";
        Self { name, commands, file: "image-policy.v1alpha1.json".to_owned(), schema }
    }

    /// The schema of the configuration of `signet up`.
    fn stack() -> Self {
        let settings = SchemaSettings::draft2020_12();
        let mut schema = settings.into_generator().into_root_schema_for::<StackFile>();
        RecursiveTransform(plain).transform(&mut schema);
        let name = "signet.dev/v1alpha1 Stack";
        schema.insert("title".to_owned(), name.into());
        Self { name, commands: "`signet up --config`", file: "stack.v1alpha1.json".to_owned(), schema }
    }

    /// Its row on the page that lists them.
    fn row(&self) -> String {
        let Self { name, commands, file, schema } = self;
        let what = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        format!("| [`{name}`]({file}) | {what} | {commands} |\n")
    }
}

/// Demands the name that every document states of its schema.
fn name(schema: &mut Schema, name: &str) {
    let stated = json_schema!({ "description": "The name and version of this schema.", "const": name });
    schema.insert("title".to_owned(), name.into());
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("schema".to_owned(), stated.into());
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.insert(0, "schema".into());
    }
}

/// Takes Rust out of what is said: links between items, line breaks, and the widths of numbers.
fn plain(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace("[`crate::", "`").replace("[`", "`").replace("`]", "`").replace('\n', " ");
    }
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| format.contains("int")) {
        schema.remove("format");
    }
}

/// Set, the test writes the schemas anew.
const REWRITE: &str = "SIGNET_REWRITE_SCHEMAS";
/// What the page of schemas says before its table.
const PRINTED: &str = "\
With `--output json` a command prints one document to standard output; messages for people stay on standard
error, and the exit status is the same as without. `schema` in the document names its schema and version: each
has a JSON Schema (draft 2020-12) here. Within a version fields, codes and checks are only added, so read a
document without refusing what you do not know.";
/// What it says before the files that people write.
const WRITTEN: &str = "\
The files that you write have a schema too, for editors and checks before a commit. It accepts no field that it does not
name. Signet checks more than it can say, such as that a rule's principals are there.";
