//! `WWW-Authenticate` (RFC 9110 §11.6.1) as far as registries use it.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// What a registry asks for with a 401.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Challenge {
    /// User name and password with each request.
    Basic,
    /// A token from `realm`.
    Bearer { realm: String, service: Option<String> },
}

impl Challenge {
    /// The challenge to answer: a bearer one if there is one, else basic, else none.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().take(MAX_CHALLENGES);
        let all: Vec<_> = texts.filter_map(|value| value.to_str().ok()).filter_map(Self::parse).collect();
        let bearer = all.iter().find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or(all.first()).cloned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => Some(Self::Basic),
            "bearer" => {
                let (mut realm, mut service) = (None, None);
                for (name, value) in parameters(rest) {
                    match name.as_str() {
                        "realm" => realm = Some(value),
                        "service" => service = Some(value),
                        _ => {}
                    }
                }
                Some(Self::Bearer { realm: realm?, service })
            }
            _ => None,
        }
    }
}

/// `name="value", name=value`; a quoted value may hold commas and `\"`.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, rest) = rest.split_once(',').unwrap_or((rest, ""));
                (value.trim().to_owned(), rest)
            }
        };
        all.push((name.trim_matches([',', ' ']).to_ascii_lowercase(), value));
        text = rest;
    }
    all
}

fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    (value, "")
}

const MAX_CHALLENGES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&'static str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(WWW_AUTHENTICATE, http::HeaderValue::from_static(text));
        }
        Challenge::of(&headers)
    }

    #[test]
    fn bearer_parameters_may_hold_commas_and_quotes() {
        let text = r#"Bearer realm="https://a/t?x=1",service="a \"b\"", scope="repository:r:pull,push""#;
        let bearer = Challenge::Bearer { realm: "https://a/t?x=1".into(), service: Some("a \"b\"".into()) };
        assert_eq!(of(&[text]), Some(bearer));
    }

    #[test]
    fn bearer_is_preferred_and_the_unknown_is_none() {
        let bearer = Challenge::Bearer { realm: "r".into(), service: None };
        assert_eq!(of(&["Basic realm=\"x\"", "bearer realm=r"]), Some(bearer));
        assert_eq!(of(&["basic"]), Some(Challenge::Basic));
        assert_eq!(of(&["Negotiate", "Bearer service=\"no realm\""]), None);
    }
}
