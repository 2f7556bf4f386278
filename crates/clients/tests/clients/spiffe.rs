//! The SPIFFE Workload API, by a fake that speaks its one call of gRPC.

use serde_json::json;
use signet_clients::Error;
use signet_clients::oidc::{Surroundings, ambient};
use tokio::net::UnixListener;

use crate::{token, web};

/// Answers calls on the socket: with an SVID for the audience, or with a status.
async fn serve(listener: UnixListener, svid: Option<String>) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let svid = svid.clone();
        tokio::spawn(async move {
            while let Some(call) = connection.accept().await {
                let (request, mut respond) = call.unwrap();
                assert_eq!(request.uri().path(), "/SpiffeWorkloadAPI/FetchJWTSVID");
                assert_eq!(request.headers()["workload.spiffe.io"], "true");
                let message = request.into_body().data().await.unwrap().unwrap();
                assert_eq!(&message[..], b"\0\0\0\0\x0a\x0a\x08sigstore");
                let head = http::Response::builder().header("content-type", "application/grpc");
                let Some(svid) = &svid else {
                    let head = head.header("grpc-status", "7").header("grpc-message", "no identity issued");
                    respond.send_response(head.body(()).unwrap(), true).unwrap();
                    continue;
                };
                let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                body.send_data(frame(&field(1, &field(2, svid.as_bytes()))).into(), false).unwrap();
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                body.send_trailers(trailers).unwrap();
            }
        });
    }
}

fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let length = [0x80 | u8::try_from(value.len() & 0x7f).unwrap(), u8::try_from(value.len() >> 7).unwrap()];
    [&[number << 3 | 2], &length[..], value].concat()
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

async fn fetched(svid: Option<String>) -> Result<Option<String>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let server = tokio::spawn(serve(UnixListener::bind(&path).unwrap(), svid));
    let socket = format!("unix://{}", path.display());
    let here = Surroundings::new(
        move |name| (name == "SPIFFE_ENDPOINT_SOCKET").then(|| socket.clone()),
        folder.path().to_owned(),
    );
    let outcome = ambient(&web(), &here, "sigstore", None).await;
    server.abort();
    Ok(outcome?.map(|token| token.challenge().unwrap().to_owned()))
}

#[tokio::test]
async fn a_workload_gets_its_svid() {
    let svid = token(&json!({"sub": "spiffe://example.org/app", "aud": ["sigstore"]}));
    assert_eq!(fetched(Some(svid)).await, Ok(Some("spiffe://example.org/app".to_owned())));
}

#[tokio::test]
async fn a_workload_without_identity_is_told_so() {
    let error = fetched(None).await.unwrap_err();
    assert!(error.to_string().contains("status 7: no identity issued"), "{error}");
}
