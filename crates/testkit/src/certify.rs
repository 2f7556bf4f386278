//! Certificates by openssl, of keys wherever they are.

use crate::{Peer, Sandbox};

/// Has the root certify the key of `NAME.pub` for this, and leaves the chain in `NAME.pem`. The root, `root.key` and `root.pem`, is
/// made if there is none.
pub fn certify(sandbox: &Sandbox, openssl: &Peer, name: &str, extensions: &[&str]) {
    let run = |line: &str| sandbox.run(openssl, &line.split(' ').collect::<Vec<_>>()).exits(0);
    if !sandbox.path("root.pem").exists() {
        run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.pem -days 9 \
             -subj /O=Acme/CN=root -addext keyUsage=critical,keyCertSign",
        );
    }
    let ids = ["subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"];
    sandbox.write("extensions", [&ids, extensions].concat().join("\n"));
    run(&format!(
        "x509 -new -force_pubkey {name}.pub -subj /O=Acme/CN={name} -CA root.pem -CAkey root.key -days 8 \
         -extfile extensions -out {name}.crt"
    ));
    let chain = [sandbox.read(&format!("{name}.crt")), sandbox.read("root.pem")].concat();
    sandbox.write(&format!("{name}.pem"), chain);
}

/// What a certificate says that issues others for signing.
pub const CA: &[&str] = &[
    "basicConstraints=critical,CA:TRUE,pathlen:0",
    "keyUsage=critical,keyCertSign",
    "extendedKeyUsage=codeSigning",
];
/// What that of a timestamp authority says.
pub const TSA: &[&str] = &[
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature",
    "extendedKeyUsage=critical,timeStamping",
];
