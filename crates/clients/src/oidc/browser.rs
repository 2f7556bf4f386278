//! Logging in with a browser on this machine (RFC 8252): PKCE, and a redirect to loopback.

use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::Token;
use super::login::{Login, Provider, Randomness, Redeemed, SCOPE, refused};
use crate::web::{Web, service_url};
use crate::{Error, Result};

/// Waits for a person to log in at the URL that `open` is given, which is for their browser.
///
/// The code comes back to a port of this machine and counts only together with the state that was sent out,
/// so that nobody can push another person's login into this one (GHSA-hm8f-75xx-w2vr).
pub async fn browser(
    web: &Web,
    login: &Login<'_>,
    random: &Randomness,
    open: impl FnOnce(&str),
) -> Result<Token> {
    let provider = Provider::discover(web, login).await?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(local)?;
    let port = listener.local_addr().map_err(local)?.port();
    let redirect = format!("http://localhost:{port}{CALLBACK}");
    open(authorization(&provider, login, random, &redirect)?.as_str());
    let state = random.state();
    let waiting = code(listener, &state);
    let outcome = tokio::time::timeout(web.limits().login, waiting).await;
    let code = outcome.map_err(|_| Error::Login("nobody logged in in time".to_owned()))??;
    let verifier = Zeroizing::new(random.verifier());
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &redirect),
        ("client_id", login.client_id),
        ("code_verifier", &verifier),
    ];
    match provider.redeem(web, &fields).await? {
        Redeemed::Token(text) => provider.accept(&text, Some(&random.nonce())),
        Redeemed::Error(problem) => Err(problem.into_error()),
    }
}

/// Where the browser is to go.
fn authorization(provider: &Provider, login: &Login<'_>, random: &Randomness, redirect: &str) -> Result<Url> {
    let mut url = service_url(&provider.authorization_endpoint)?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", login.client_id)
        .append_pair("redirect_uri", redirect)
        .append_pair("scope", SCOPE)
        .append_pair("state", &random.state())
        .append_pair("nonce", &random.nonce())
        .append_pair("code_challenge", &random.challenge())
        .append_pair("code_challenge_method", "S256");
    Ok(url)
}

/// The code that a redirect with this state brings. Browsers open connections that they do not use, so each
/// is served beside the others.
async fn code(listener: TcpListener, state: &str) -> Result<Zeroizing<String>> {
    let (sender, mut received) = mpsc::channel(1);
    loop {
        tokio::select! {
            Some(outcome) = received.recv() => return outcome,
            accepted = listener.accept() => {
                let (stream, _) = accepted.map_err(local)?;
                let (sender, state) = (sender.clone(), state.to_owned());
                tokio::spawn(async move {
                    let served = tokio::time::timeout(REQUEST, serve(stream, &state)).await;
                    if let Ok(Some(outcome)) = served {
                        // If nobody waits any more, another redirect came first.
                        let _ = sender.send(outcome).await;
                    }
                });
            }
        }
    }
}

/// Answers one request; what it brought, if it is the redirect.
async fn serve(mut stream: TcpStream, state: &str) -> Option<Result<Zeroizing<String>>> {
    let target = target(&mut stream).await?;
    let outcome = redirected(&target, state);
    let (status, text) = match &outcome {
        Some(Ok(_)) => ("200 OK", "You are logged in. This window can be closed."),
        Some(Err(_)) => ("200 OK", "The login was not completed. The terminal says more."),
        None => ("404 Not Found", "Nothing is here."),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    // The person sees the page or not; the code is here either way.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    outcome
}

/// The target of a GET request whose head has at most [`MAX_HEAD`] bytes.
async fn target(stream: &mut TcpStream) -> Option<Zeroizing<String>> {
    let mut head = Zeroizing::new(Vec::new());
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let room = MAX_HEAD.checked_sub(head.len()).filter(|room| *room > 0)?;
        let read = (&mut *stream).take(room as u64).read_buf(&mut *head).await.ok()?;
        if read == 0 {
            return None;
        }
    }
    let head = std::str::from_utf8(&head).ok()?;
    let line = head.lines().next()?.strip_prefix("GET ")?;
    line.split(' ').next().map(|target| Zeroizing::new(target.to_owned()))
}

/// The code, or the provider's refusal, if the target is the redirect's and has this state.
fn redirected(target: &str, state: &str) -> Option<Result<Zeroizing<String>>> {
    let url = Url::parse("http://localhost").ok()?.join(target).ok()?;
    let value = |name: &str| {
        let mut values = url.query_pairs().filter(|(known, _)| known == name).map(|(_, value)| value);
        // Said twice it is not said at all.
        values.next().filter(|_| values.next().is_none())
    };
    if url.path() != CALLBACK || value("state").as_deref() != Some(state) {
        return None;
    }
    match (value("error"), value("code")) {
        (Some(error), _) => Some(Err(refused(&error, &value("error_description").unwrap_or_default()))),
        (None, Some(code)) => Some(Ok(Zeroizing::new(code.into_owned()))),
        (None, None) => None,
    }
}

fn local(error: std::io::Error) -> Error {
    Error::Login(format!("this machine gives no port to come back to: {error}"))
}

/// As Sigstore's public instance has it registered.
const CALLBACK: &str = "/auth/callback";
const MAX_HEAD: usize = 16 * 1024;
const REQUEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_redirect_with_the_state_that_was_sent_counts() {
        let code = |target: &str| redirected(target, "s").map(|outcome| outcome.map(|code| code.to_string()));
        assert_eq!(code("/auth/callback?code=c%2F1&state=s"), Some(Ok("c/1".to_owned())));
        for other in [
            "/auth/callback?code=c",
            "/auth/callback?code=c&state=",
            "/auth/callback?code=c&state=other",
            "/auth/callback?code=c&state=s&state=s",
            "/auth/callback?code=c&code=d&state=s",
            "/auth/callback?state=s",
            "/favicon.ico?code=c&state=s",
            "//evil.example/x?code=c&state=s",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
        let refusal = code("/auth/callback?error=access_denied&error_description=no%1b[0m&state=s");
        assert_eq!(refusal, Some(Err(Error::Login("no[0m".to_owned()))));
        assert_eq!(code("/auth/callback?error=access_denied&state=x"), None);
    }
}
