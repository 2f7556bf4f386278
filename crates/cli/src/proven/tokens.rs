//! Where the identity token comes from, and a person if it takes one.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use signet_clients::Web;
use signet_clients::oidc::{Ambient, Login, Randomness, Surroundings, Token, ambient, browser, device};
use signet_keys::random;
use signet_verify::Code;
use tokio::sync::Mutex;

use crate::args::{KeylessArgs, LoginFlow};
use crate::clock;
use crate::error::{CliError, Stop};
use crate::face::Face;
use crate::files;

/// A source of tokens. One that is still good is used again, so that nobody logs in twice in one run.
pub(super) struct Tokens {
    source: Source,
    issuer: Option<String>,
    client_id: String,
    face: Face,
    last: Mutex<Option<Arc<Token>>>,
}

enum Source {
    /// What was given.
    Given(Given),
    /// What stands ready, in this place only if one was named.
    Ambient(Option<Ambient>),
    /// A person, in this way.
    Login(LoginFlow),
}

enum Given {
    File(String),
    Input,
    Raw(String),
}

impl Tokens {
    /// What the options say. A token among the arguments is warned about.
    /// `issuer` is where to log in, unless they say so too.
    pub(super) fn new(args: &KeylessArgs, issuer: Option<String>, face: Face) -> Self {
        let source = match (&args.identity_token, args.login) {
            (Some(text), _) => Source::Given(given(text)),
            (None, Some(flow)) => Source::Login(flow),
            (None, None) => Source::Ambient(args.oidc_provider),
        };
        if let Source::Given(Given::Raw(_)) = source {
            // If the note cannot be written, the error that follows tells of it.
            let _ = face.note(RAW_WARNING);
        }
        Self {
            source,
            issuer: args.oidc_issuer.clone().or(issuer),
            client_id: args.oidc_client_id.clone(),
            face,
            last: Mutex::new(None),
        }
    }

    /// A token that is good for a certificate now.
    pub(super) async fn get(&self, web: &Web) -> Result<Arc<Token>, Stop> {
        let mut last = self.last.lock().await;
        let now = clock::now();
        if let Some(token) = last.as_ref().filter(|token| token.is_alive_at(now)) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(self.fetch(web).await?.alive_at(now)?);
        *last = Some(Arc::clone(&token));
        Ok(token)
    }

    async fn fetch(&self, web: &Web) -> Result<Token, Stop> {
        match &self.source {
            Source::Given(given) => Ok(given.read()?),
            Source::Login(flow) => self.login(web, *flow).await,
            Source::Ambient(only) => {
                match ambient(web, &Surroundings::of_process(), AUDIENCE, *only).await? {
                    Some(token) => Ok(token),
                    None if std::io::stderr().is_terminal() && self.issuer.is_some() => {
                        self.login(web, LoginFlow::Browser).await
                    }
                    None => Err(CliError::new(
                        Code::IdentityTokenMissing,
                        "none was given, and none stands ready",
                    )
                    .into()),
                }
            }
        }
    }

    async fn login(&self, web: &Web, flow: LoginFlow) -> Result<Token, Stop> {
        let Some(issuer) = &self.issuer else {
            let detail = "the signing config does not say where to log in";
            let missing = CliError::new(Code::IdentityTokenMissing, detail);
            return Err(missing.hint("give `--oidc-issuer URL`, or a token with `--identity-token`").into());
        };
        let login = Login { issuer, client_id: &self.client_id };
        let fresh = || random::<32>().map_err(CliError::internal);
        let randomness = Randomness { state: fresh()?, nonce: fresh()?, verifier: fresh()? };
        let say = |line: &str| {
            // Who cannot read it cannot log in, and is told so when the time is over.
            let _ = self.face.prompt(line);
        };
        Ok(match flow {
            LoginFlow::Browser => {
                let open = |url: &str| {
                    say(&format!("log in at {url}"));
                    open_browser(url);
                };
                browser(web, &login, &randomness, open).await?
            }
            LoginFlow::Device => {
                let show = |code: &signet_clients::oidc::DeviceCode| {
                    say(&format!("log in at {} with the code {}", code.url, code.user_code));
                };
                device(web, &login, &randomness, show).await?
            }
        })
    }
}

impl Given {
    fn read(&self) -> Result<Token, CliError> {
        Ok(match self {
            Self::Raw(text) => Token::read("`--identity-token`", text)?,
            Self::File(path) => {
                let bytes = files::read(Path::new(path), MAX_TOKEN)?;
                Token::read(&format!("`{path}`"), &String::from_utf8_lossy(&bytes))?
            }
            Self::Input => {
                let mut text = String::new();
                let most = u64::try_from(MAX_TOKEN).unwrap_or(u64::MAX);
                let read = std::io::stdin().take(most).read_to_string(&mut text);
                read.map_err(|error| CliError::unreadable(Path::new("standard input"), error))?;
                Token::read("standard input", &text)?
            }
        })
    }
}

/// A path, unless no file is there and it looks like a token; cosign looks in the same order.
fn given(text: &str) -> Given {
    let looks_like_a_token = || text.starts_with("ey") && text.matches('.').count() == 2;
    match text {
        "-" => Given::Input,
        _ if !Path::new(text).exists() && looks_like_a_token() => Given::Raw(text.to_owned()),
        _ => Given::File(text.to_owned()),
    }
}

/// Asks the system to show a page. Where it cannot, the line that was printed is what there is.
fn open_browser(url: &str) {
    let (program, args): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("rundll32", &["url.dll,FileProtocolHandler"]),
        _ => ("xdg-open", &[]),
    };
    let mut command = std::process::Command::new(program);
    command.args(args).arg(url);
    let quiet = || std::process::Stdio::null();
    // It is not waited for: some stay as long as the browser does.
    let _ = command.stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
}

/// The audience of Fulcio's tokens.
const AUDIENCE: &str = "sigstore";
/// More than a token may have, which its reader then refuses.
const MAX_TOKEN: usize = 64 * 1024;
const RAW_WARNING: &str =
    "warning: other users of this machine can see a token that is an argument; give a file, or `-`";
