//! What a token of a CI service says, by templates.

use std::collections::BTreeMap;

use signet_formats::jwt::Claims;
use signet_formats::x509::SubjectAltName;

use super::TokenError;
use super::claim::{ClaimPath, said};
use super::config::Issuer;
use super::identity::url_name;
use super::names::is_plain;
use super::services::{EXTENSION_NAMES, Form, HOME, REF_PATH, SERVICES};
use super::template::Template;
use super::url;
use super::written::Metadata;

/// How claims of a CI service become an identity.
#[derive(Clone, Debug)]
pub struct CiProvider {
    /// The type in the configuration.
    pub(super) kind: String,
    home: Home,
    name: Field,
    /// By N of 1.3.6.1.4.1.57264.1.N.
    extensions: Vec<(u8, Field)>,
    /// Values for what the token does not claim.
    defaults: BTreeMap<String, String>,
    /// Whether a claim of no text is as good as none.
    needs_text: bool,
}

/// Where the service of an issuer is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// There, whatever the issuer.
    At(&'static str),
    /// At github.com for its own issuer; a GitHub Enterprise Server is at home where it issues from.
    GitHub,
    /// Where it issues from.
    Issuer,
}

/// Text to be made of claims.
#[derive(Clone, Debug)]
struct Field {
    form: Form,
    template: Template,
    /// Whether a token without its claims is refused.
    required: bool,
}

impl CiProvider {
    /// The service of this kind, of those that Signet knows.
    pub(super) fn of_table(kind: &str) -> Option<Self> {
        let service = SERVICES.iter().find(|service| service.kind == kind)?;
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Some(Self {
            kind: kind.to_owned(),
            home: service.home,
            name: Field::of_table(service.name.0, service.name.1),
            extensions: service
                .extensions
                .iter()
                .map(|(n, form, text)| (*n, Field::of_table(*form, text)))
                .collect(),
            defaults: service.defaults.iter().map(owned).collect(),
            needs_text: true,
        })
    }

    /// The same, at home there.
    pub(super) fn at(self, home: &'static str) -> Self {
        Self { home: Home::At(home), ..self }
    }

    /// A service that the configuration describes.
    pub(super) fn of_metadata(metadata: &Metadata) -> Result<Self, String> {
        let field = |form, text| template(text).map(|template| Field { form, template, required: true });
        let mut extensions = Vec::new();
        for (name, text) in &metadata.extension_templates {
            let known = EXTENSION_NAMES.iter().find(|(_, known)| is_named(known, name));
            let (n, _) = known.ok_or_else(|| format!("unknown extension `{name}`"))?;
            extensions.push((*n, field(Form::Text, text)?));
        }
        Ok(Self {
            kind: "ci-provider".to_owned(),
            home: Home::Issuer,
            name: field(Form::Parsed, &metadata.subject_alternative_name_template)?,
            extensions,
            defaults: metadata.default_template_values.clone(),
            needs_text: false,
        })
    }

    pub(super) fn name(&self, issuer: &Issuer, claims: &Claims) -> Result<SubjectAltName, TokenError> {
        // A name with a part left out would be somebody else's.
        let needed = self
            .name
            .template
            .claims()
            .into_iter()
            .find(|path| self.value(issuer, claims, path, true).is_none());
        match needed {
            Some(path) => Err(missing(claims, path)),
            None => url_name(self.fill(&self.name, issuer, claims)?),
        }
    }

    pub(super) fn extensions(
        &self,
        issuer: &Issuer,
        claims: &Claims,
    ) -> Result<BTreeMap<u8, String>, TokenError> {
        let mut extensions = BTreeMap::new();
        for (n, field) in &self.extensions {
            match self.fill(field, issuer, claims) {
                Ok(value) if value.is_empty() => {}
                Ok(value) => drop(extensions.insert(*n, value)),
                Err(TokenError::MissingClaim { .. }) if !field.required => {}
                Err(error) => return Err(error),
            }
        }
        Ok(extensions)
    }

    fn fill(&self, field: &Field, issuer: &Issuer, claims: &Claims) -> Result<String, TokenError> {
        let value = |path: &ClaimPath| self.value(issuer, claims, path, self.needs_text);
        let filled = field.template.fill(&value).map_err(|path| missing(claims, path))?;
        let written = match field.form {
            Form::Text => Some(filled.clone()),
            Form::Joined => url::joined(&filled),
            Form::Parsed => url::parsed(&filled),
        };
        written.filter(|text| is_plain(text)).ok_or_else(|| {
            let what = if field.form == Form::Text { PLAIN } else { "a URL" };
            TokenError::unfit(&field.template.claims(), &filled, what)
        })
    }

    fn value(&self, issuer: &Issuer, claims: &Claims, path: &ClaimPath, needs_text: bool) -> Option<String> {
        let claimed = match path.name() {
            Some(REF_PATH) => return git_ref(claims),
            // Whatever a token claims under this name, it does not say where the service is at home.
            Some(HOME) => return Some(self.home.of(&issuer.url)),
            _ if needs_text => path.text(claims),
            _ => path.of(claims).map(said),
        };
        claimed.or_else(|| self.defaults.get(path.name()?).cloned())
    }
}

impl Home {
    fn of(self, issuer: &str) -> String {
        let origin =
            || issuer.match_indices('/').nth(2).and_then(|(end, _)| issuer.get(..end)).unwrap_or(issuer);
        match self {
            Self::At(home) => home.to_owned(),
            Self::Issuer => issuer.trim_end_matches('/').to_owned(),
            Self::GitHub if origin() == GITHUB_ISSUER => "https://github.com".to_owned(),
            Self::GitHub => origin().to_owned(),
        }
    }
}

impl Field {
    fn of_table(form: Form, text: &str) -> Self {
        let (text, required) = text.strip_suffix('?').map_or((text, true), |optional| (optional, false));
        let decides = Template::of_fulcio(text).filter(|_| text.contains("{{"));
        Self { form, template: decides.unwrap_or_else(|| Template::new(text)), required }
    }
}

/// GitLab says `main` and `branch`; certificates say `refs/heads/main`.
fn git_ref(claims: &Claims) -> Option<String> {
    let name = ClaimPath::from("ref").text(claims)?;
    match claims.text("ref_type")? {
        "branch" => Some(format!("refs/heads/{name}")),
        "tag" => Some(format!("refs/tags/{name}")),
        _ => None,
    }
}

/// Why there is no value of this name.
fn missing(claims: &Claims, path: &ClaimPath) -> TokenError {
    match path.name() {
        Some(REF_PATH) if ClaimPath::from("ref").text(claims).is_none() => {
            TokenError::unusable("ref", claims, "text")
        }
        Some(REF_PATH) => TokenError::unusable("ref_type", claims, "`branch` or `tag`"),
        _ => TokenError::unusable(path, claims, "text"),
    }
}

/// A template as it is written; the error names it.
fn template(text: &str) -> Result<Template, String> {
    Template::of_fulcio(text).ok_or_else(|| format!("the template `{text}` does more than insert fields"))
}

/// Whether it is this name, `build-signer-uri`, or the same in Fulcio's JSON, `BuildSignerURI`.
fn is_named(known: &str, name: &str) -> bool {
    known == name || known.replace('-', "") == name.to_ascii_lowercase()
}

/// What [`is_plain`] is, for people.
pub(super) const PLAIN: &str = "short text without control characters";
const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";
