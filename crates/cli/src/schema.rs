//! The JSON Schemas of what is printed and of the files that people write, made from the types.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{Schema, json_schema};
use serde_json::Value;
use signet_verify::Policy;

use crate::document::Document;

/// The schema of a document, and who prints or reads it.
pub(crate) struct PublishedSchema {
    /// The schema's name and version, which the document states.
    pub(crate) name: &'static str,
    /// The commands that print it, or read it.
    pub(crate) commands: &'static str,
    /// The name of its file.
    pub(crate) file: String,
    /// The schema, of draft 2020-12.
    pub(crate) schema: Schema,
}

impl PublishedSchema {
    /// The schema of `D`, which these commands print; `verify.v1.json` for `signet.dev/verify/v1`.
    pub(crate) fn printed<D: Document>(commands: &'static str) -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut schema = settings.into_generator().into_root_schema_for::<D>();
        name(&mut schema, D::SCHEMA);
        RecursiveTransform(plain).transform(&mut schema);
        let file = D::SCHEMA.strip_prefix("signet.dev/").unwrap_or(D::SCHEMA).replace('/', ".");
        Self { name: D::SCHEMA, commands, file: format!("{file}.json"), schema }
    }

    /// The schema of the policy file.
    pub(crate) fn policy() -> Self {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        let mut schema = settings.into_generator().into_root_schema_for::<Policy>();
        let name = "signet.dev/v1alpha1 ImagePolicy";
        schema.insert("title".to_owned(), name.into());
        RecursiveTransform(plain).transform(&mut schema);
        let commands = "`signet verify --policy`, `signet serve registry --require-signed`";
        Self { name, commands, file: "image-policy.v1alpha1.json".to_owned(), schema }
    }

    /// What the document is.
    pub(crate) fn description(&self) -> &str {
        self.schema.get("description").and_then(Value::as_str).unwrap_or_default()
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
