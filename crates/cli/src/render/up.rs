//! A signing stack that has started, and the commands to use it.

use signet_formats::oci::Registry;

use crate::document::UpDocument;

/// Where it is, and how to sign and verify with it.
pub(crate) fn up(document: &UpDocument) -> String {
    let UpDocument { url, data, .. } = document;
    let started = format!("serving a signing stack at {url} from `{data}`\n");
    match &document.registry {
        Some(host) => started + &commands(document, &format!("{host}/app:1")),
        None => started + &commands(document, "IMAGE"),
    }
}

fn commands(document: &UpDocument, image: &str) -> String {
    let dev = document.issuers.iter().find(|issuer| issuer.contains("/oidc-dev/"));
    let (token, identity, issuer) = match dev {
        Some(issuer) => {
            let issuer = issuer.rsplit_once('/').map_or(issuer.as_str(), |(base, _)| base);
            let mint =
                format!("signet dev-token --data {} --email you@example.com > token", quoted(&document.data));
            (mint, "you@example.com", format!("{issuer}/email"))
        }
        None => ("# put an identity token into the file `token`".to_owned(), "IDENTITY", "ISSUER".to_owned()),
    };
    let root = format!("--trusted-root {}", quoted(&document.trusted_root));
    let config = format!("--signing-config {} {root}", quoted(&document.signing_config));
    let who = format!("--certificate-identity {identity} --certificate-oidc-issuer {issuer}");
    let authority = if is_secret_loopback(document) { " --registry-cacert CA.pem" } else { "" };
    let services = authority.replace("registry", "services");
    let known = if authority.is_empty() { "" } else { "SSL_CERT_FILE=CA.pem " };
    let plain = if document.url.starts_with("http://") { " --allow-http-registry" } else { "" };
    format!(
        "\nwith Signet:\n  {token}\n  signet sign --identity-token token {config}{authority}{services} {image}\n  \
         signet verify {who} {root}{authority} {image}\n\
         \nwith cosign:\n  {token}\n  {known}cosign sign --yes --identity-token \"$(cat token)\" {config}{plain} {image}\n  \
         {known}cosign verify {who} {root} --use-signed-timestamps{plain} {image}\n"
    )
}

/// Whether Signet asks its registry over TLS only if it is given the authority of its certificate.
fn is_secret_loopback(document: &UpDocument) -> bool {
    let registry = document.registry.as_deref().and_then(|host| Registry::new(host).ok());
    document.url.starts_with("https://") && registry.is_some_and(|registry| registry.is_loopback())
}

/// The text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_word() {
        assert_eq!(quoted("/srv/signet-1"), "/srv/signet-1");
        assert_eq!(quoted("/my data"), "'/my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
