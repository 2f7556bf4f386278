//! A token in hand.

use std::fmt;

use signet_formats::jwt::{Claims, Jwt};
use signet_formats::time;
use zeroize::Zeroizing;

use crate::{Error, Result};

/// An identity token whose claims can be read. Its text is shown nowhere and cleared when dropped.
pub struct Token {
    text: Zeroizing<String>,
    claims: Claims,
    source_name: String,
}

impl Token {
    /// Reads a token that came from `source_name`; white space around it is cut off.
    pub fn read(source_name: &str, text: &str) -> Result<Self> {
        let text = Zeroizing::new(text.trim().to_owned());
        let jwt = Jwt::parse(&text).map_err(|error| Error::token(source_name, &error))?;
        Ok(Self { claims: jwt.claims().clone(), text, source_name: source_name.to_owned() })
    }

    /// Whether it is not known to be over at `now`, in seconds since 1970.
    pub fn is_alive_at(&self, now: i64) -> bool {
        self.claims.time("exp").is_none_or(|end| now < end)
    }

    /// The same, if it is alive at `now`.
    pub fn alive_at(self, now: i64) -> Result<Self> {
        match self.claims.time("exp") {
            Some(end) if !self.is_alive_at(now) => {
                let end = time::format(end).unwrap_or_else(|_| end.to_string());
                Err(self.unusable(format!("it expired at {end}")))
            }
            _ => Ok(self),
        }
    }

    /// What a new key signs to show that who holds it also holds this token: the email address of tokens
    /// that have one, else the subject (fulcio, `docs/oidc.md`). As for cosign, one that is null or empty is none.
    pub fn challenge(&self) -> Result<&str> {
        let has_email = self.claims.value("email").is_some_and(|email| !email.is_null() && email != "");
        let name = if has_email { "email" } else { "sub" };
        self.claims.text(name).ok_or_else(|| self.unusable(format!("it has no claim `{name}` that is text")))
    }

    /// What it claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Where it came from.
    pub fn source_name(&self) -> &str {
        &self.source_name
    }

    pub(crate) fn secret(&self) -> &str {
        &self.text
    }

    pub(crate) fn unusable(&self, reason: String) -> Error {
        Error::Token { source_name: self.source_name.clone(), reason }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.source_name)
    }
}

#[cfg(test)]
mod tests {
    use signet_formats::base64;

    use super::*;

    fn token(claims: &str) -> Token {
        let text =
            format!("{}.{}.AAAA\n", base64::encode_url(r#"{"alg":"RS256"}"#), base64::encode_url(claims));
        Token::read("a test", &text).unwrap()
    }

    #[test]
    fn the_challenge_is_the_email_address_or_the_subject() {
        assert_eq!(token(r#"{"sub":"s","email":"a@b.c"}"#).challenge(), Ok("a@b.c"));
        for none in [r#"{"sub":"s"}"#, r#"{"sub":"s","email":null}"#, r#"{"sub":"s","email":""}"#] {
            assert_eq!(token(none).challenge(), Ok("s"), "{none}");
        }
        for claims in [r#"{"sub":1}"#, "{}", r#"{"email":null}"#, r#"{"sub":"s","email":["a"]}"#] {
            assert!(matches!(token(claims).challenge(), Err(Error::Token { .. })), "{claims}");
        }
    }

    #[test]
    fn an_expired_token_is_refused_before_it_is_sent() {
        assert!(token(r#"{"exp":100}"#).alive_at(99).is_ok());
        assert!(token("{}").alive_at(99).is_ok());
        let error = token(r#"{"exp":100}"#).alive_at(100).unwrap_err();
        assert!(error.to_string().contains("expired at 1970-01-01T00:01:40Z"), "{error}");
    }

    #[test]
    fn the_text_is_not_shown() {
        let token = token(r#"{"sub":"s"}"#);
        assert_eq!(format!("{token:?}"), "Token(from a test)");
        let error = Token::read("a test", "secret").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
