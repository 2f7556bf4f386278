//! Proxies of the environment: who goes through one, and who never does.

use std::sync::{Arc, Mutex};

use signet_formats::oci::Repository;
use signet_registry::{Client, Options, TlsOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::child;
use crate::double::{Double, Reply, manifest};
use crate::tls::Authority;

/// A proxy that connects everybody who asks with CONNECT to one server.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    async fn to(server: &Double) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://user:secret@{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (log, upstream) = (Arc::clone(&asked), server.host.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tunnel(stream, upstream.clone(), Arc::clone(&log)));
            }
        });
        Self { url, asked, task }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tunnel(mut stream: TcpStream, upstream: String, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let authorized = head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpzzwnyzxq=");
    asked.lock().unwrap().push(head.lines().next().unwrap().to_owned());
    let status = if authorized { "200 OK" } else { "407 Proxy Authentication Required" };
    stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
    if authorized {
        let mut server = TcpStream::connect(upstream).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
    }
}

/// In the child: resolves `<registry> <authority>`, over HTTPS where there is an authority.
async fn ask(argument: &str) {
    let (registry, authority) = argument.split_once(' ').unwrap();
    let repository: Repository = format!("{registry}/app").parse().unwrap();
    let named = [repository.registry.clone()].into();
    let (https, plain_http) =
        if authority.is_empty() { (Default::default(), named) } else { (named, Default::default()) };
    let authorities = if authority.is_empty() { Vec::new() } else { vec![authority.into()] };
    let tls = TlsOptions { authorities, identity: None };
    let client = Client::new(Options { https, plain_http, tls, ..Options::default() });
    let outcome = client.resolve(&format!("{registry}/app:v1").parse().unwrap()).await;
    child::tell(&format!("{:?}", outcome.map(|found| found.etag)));
}

#[tokio::test]
async fn https_goes_through_the_proxy_of_the_environment() {
    const NAME: &str = "proxy::https_goes_through_the_proxy_of_the_environment";
    if let Some(argument) = child::argument() {
        return ask(&argument).await;
    }
    let authority = Authority::new();
    let server =
        Double::start_tls(authority.server("registry.invalid", None), |_| Reply::new(200, manifest())).await;
    let proxy = Proxy::to(&server).await;
    let argument = format!("registry.invalid {}", authority.file().display());
    // A name is exempt with all names below it, and only where a label ends.
    for (exempt, proxied) in [
        ("", true),
        ("istry.invalid,other.invalid", true),
        ("a.registry.invalid,192.0.2.0/24", true),
        ("other.example, .invalid", false),
        ("registry.invalid", false),
        ("*", false),
    ] {
        let variables = [("HTTPS_PROXY", proxy.url.as_str()), ("NO_PROXY", exempt)];
        let told = child::run(NAME, &argument, &variables).await;
        match proxied {
            true => assert_eq!((told.as_str(), proxy.asked().len()), ("Ok(None)", 1), "{exempt}"),
            false => {
                assert!(told.starts_with("Err(Unreachable"), "{exempt}: {told}");
                assert_eq!(proxy.asked().len(), 0, "{exempt}");
            }
        }
    }
    assert_eq!(child::run(NAME, &argument, &[("https_proxy", &proxy.url)]).await, "Ok(None)");
    assert_eq!(proxy.asked(), ["CONNECT registry.invalid:443 HTTP/1.1"], "the proxy resolves the name");
    let nameless = proxy.url.replace("user:secret@", "");
    let told = child::run(NAME, &argument, &[("HTTPS_PROXY", &nameless)]).await;
    assert!(told.starts_with("Err(Unreachable"), "a proxy that refuses us: {told}");
}

/// 0.0.0.0 leads to this machine, and is none of its loopback addresses.
#[cfg(unix)]
#[tokio::test]
async fn networks_are_exempt() {
    const NAME: &str = "proxy::networks_are_exempt";
    if let Some(argument) = child::argument() {
        return ask(&argument).await;
    }
    let authority = Authority::new();
    let server = Double::start_tls(authority.server("0.0.0.0", None), |_| Reply::new(200, manifest())).await;
    let proxy = Proxy::to(&server).await;
    let argument = format!("0.0.0.0:{} {}", server.port(), authority.file().display());
    for (exempt, proxied) in [("10.0.0.0/8", 1), ("10.0.0.0/8,0.0.0.0/8", 0), ("0.0.0.0", 0)] {
        let variables = [("HTTPS_PROXY", proxy.url.as_str()), ("NO_PROXY", exempt)];
        assert_eq!(child::run(NAME, &argument, &variables).await, "Ok(None)", "{exempt}");
        assert_eq!(proxy.asked().len(), proxied, "{exempt}");
    }
}

/// A SOCKS proxy is not spoken to, and what should go through it does not go another way.
#[cfg(unix)]
#[tokio::test]
async fn a_socks_proxy_is_refused_and_not_passed_by() {
    const NAME: &str = "proxy::a_socks_proxy_is_refused_and_not_passed_by";
    if let Some(argument) = child::argument() {
        return ask(&argument).await;
    }
    let authority = Authority::new();
    let secure = Double::start_tls(authority.server("0.0.0.0", None), |_| Reply::new(200, manifest())).await;
    let plain = Double::start(|_| Reply::new(200, manifest())).await;
    let places = [
        (&secure, format!("0.0.0.0:{} {}", secure.port(), authority.file().display())),
        (&plain, format!("0.0.0.0:{} ", plain.port())),
    ];
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    for (server, place) in places {
        assert_eq!(child::run(NAME, &place, &[]).await, "Ok(None)", "reached without a proxy");
        let direct = server.seen().len();
        for scheme in ["socks4", "socks4a", "socks5", "socks5h"] {
            let url = format!("{scheme}://{address}");
            let told = child::run(NAME, &place, &[("ALL_PROXY", &url)]).await;
            assert!(told.starts_with("Err(Unreachable"), "{told}");
            assert!(
                told.contains(&format!("the proxy of the environment is of the unsupported kind `{scheme}`")),
                "{told}"
            );
        }
        assert_eq!(server.seen().len(), direct, "passed by");
    }
    let asked = tokio::time::timeout(std::time::Duration::ZERO, proxy.accept()).await;
    assert!(asked.is_err(), "the proxy was spoken to");
}

/// A typing error in a proxy's URL does not let a request go another way.
#[tokio::test]
async fn a_proxy_that_cannot_be_read_is_refused_and_not_passed_by() {
    const NAME: &str = "proxy::a_proxy_that_cannot_be_read_is_refused_and_not_passed_by";
    if let Some(argument) = child::argument() {
        return ask(&argument).await;
    }
    let server = Double::start(|_| Reply::new(200, manifest())).await;
    let place = format!("0.0.0.0:{} ", server.port());
    for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        let told = child::run(NAME, &place, &[(variable, "http//user:secret@proxy:3128")]).await;
        assert!(told.starts_with("Err(Configuration") && told.contains(variable), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    assert_eq!(server.seen().len(), 0, "passed by");
}

#[tokio::test]
async fn plain_http_goes_through_its_own_proxy() {
    const NAME: &str = "proxy::plain_http_goes_through_its_own_proxy";
    if let Some(argument) = child::argument() {
        return ask(&argument).await;
    }
    let proxy = Double::start(|_| Reply::new(200, manifest())).await;
    let url = format!("http://{}", proxy.host);
    let told = child::run(NAME, "registry.invalid ", &[("HTTP_PROXY", &url)]).await;
    assert_eq!(told, "Ok(None)");
    assert_eq!(proxy.seen()[0].target, "http://registry.invalid/v2/app/manifests/v1");
}

#[tokio::test]
async fn this_machine_is_never_asked_through_a_proxy() {
    const NAME: &str = "proxy::this_machine_is_never_asked_through_a_proxy";
    if let Some(argument) = child::argument() {
        return ask(&argument).await;
    }
    let authority = Authority::new();
    let secure = Double::start_tls(authority.server("127.0.0.1", None), |_| Reply::new(200, manifest()));
    let (secure, plain) = (secure.await, Double::start(|_| Reply::new(200, manifest())).await);
    let proxy = Proxy::to(&plain).await;
    let variables = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, proxy.url.as_str()));
    let places = [
        format!("{} {}", secure.host, authority.file().display()),
        format!("{} ", plain.host),
        format!("localhost:{} ", plain.port()),
    ];
    for place in places {
        assert_eq!(child::run(NAME, &place, &variables).await, "Ok(None)", "{place}");
    }
    assert!(proxy.asked().is_empty());
}
