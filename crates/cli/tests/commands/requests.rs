//! How many requests commands make, counted by a relay.

use signet_testkit::{RegistryServer, Tap, peers};

use crate::{run, signet, with_keys};

#[test]
fn one_signature_costs_four_requests_to_verify_and_seven_to_make() {
    let server = RegistryServer::signet(signet());
    assert_eq!(requests(&server), Counted { sign: 7, sign_index: 17, verify: 4 });
}

#[test]
fn without_a_referrers_api_verifying_costs_five_requests() {
    let Some([registry]) = peers(["docker-registry"]) else { return };
    let counted = requests(&RegistryServer::docker(&registry));
    assert_eq!(counted.verify, 5, "{counted:?}");
}

#[derive(Debug, PartialEq, Eq)]
struct Counted {
    /// Signing an image of one platform, the first in its repository.
    sign: usize,
    /// Signing an index of two platforms, the first in its repository.
    sign_index: usize,
    /// Verifying an image that has one signature.
    verify: usize,
}

fn requests(server: &RegistryServer) -> Counted {
    let (sandbox, tap) = (with_keys(), Tap::before(server.address()));
    let count = |args: &[&str]| {
        run(&sandbox, args).exits(0);
        tap.requests()
    };
    server.repository("one").push_image("1", "content");
    server.repository("index").push_index("1", "content");
    let image = |name: &str| format!("{}/{name}:1", tap.address());
    Counted {
        sign: count(&["sign", "--key", "my.key", &image("one")]),
        sign_index: count(&["sign", "--key", "my.key", &image("index")]),
        verify: count(&["verify", "--key", "my.pub", &image("one")]),
    }
}
