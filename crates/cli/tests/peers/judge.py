"""Judges signatures that cosign does not: RSA-PSS, Ed25519ph (pycryptodome), ML-DSA (cryptography).

judge.py verify SCHEME PUBLIC BUNDLE FILE     exits 0 if the bundle is FILE signed by PUBLIC, 1 if not
judge.py sign SCHEME FORM PUBLIC BUNDLE FILE  makes a key, writes PUBLIC and BUNDLE; FORM message or dsse
"""

import base64
import hashlib
import json
import sys

from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import mldsa, padding, rsa

STATEMENT = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
HASHES = {"ed25519ph": ("SHA2_512", hashlib.sha512)}
SHA256 = ("SHA2_256", hashlib.sha256)
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
ML_DSA = {
    "ml-dsa-44": mldsa.MLDSA44PrivateKey,
    "ml-dsa-65": mldsa.MLDSA65PrivateKey,
    "ml-dsa-87": mldsa.MLDSA87PrivateKey,
}


class Refused(Exception):
    """The bundle does not say that this key signed this file."""


def verify(scheme, public, bundle, file):
    pem, message = read(public), read(file)
    bundle = json.loads(read(bundle))
    if "dsseEnvelope" in bundle:
        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        digests = [subject["digest"] for subject in json.loads(payload)["subject"]]
        if hashlib.sha256(message).hexdigest() not in [digest.get("sha256") for digest in digests]:
            raise Refused("the statement is about another file")
        message = pae(envelope["payloadType"], payload)
        signature = envelope["signatures"][0]["sig"]
    else:
        name, function = HASHES.get(scheme, SHA256)
        content = bundle["messageSignature"]
        claimed = content["messageDigest"]
        if (claimed["algorithm"], base64.b64decode(claimed["digest"])) != (name, function(message).digest()):
            raise Refused("the bundle is about another file")
        signature = content["signature"]
    verify_raw(scheme, pem, base64.b64decode(signature, validate=True), message)


def verify_raw(scheme, pem, signature, message):
    try:
        if scheme == "ed25519ph":
            eddsa.new(ECC.import_key(pem), "rfc8032").verify(SHA512.new(message), signature)
        elif scheme == "rsa-pss-sha256":
            serialization.load_pem_public_key(pem).verify(signature, message, PSS, hashes.SHA256())
        else:
            serialization.load_pem_public_key(pem).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise Refused("the signature is not of this key") from error


def sign(scheme, form, public, bundle, file):
    message = read(file)
    pem, key = make_key(scheme)
    with open(public, "wb") as out:
        out.write(pem)
    material = {"verificationMaterial": {"publicKey": {"hint": ""}}, "mediaType": BUNDLE}
    if form == "dsse":
        digest = {"sha256": hashlib.sha256(message).hexdigest()}
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "file", "digest": digest}],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
        }
        payload = json.dumps(statement).encode()
        signature = key(pae(STATEMENT, payload))
        envelope = {"payload": b64(payload), "payloadType": STATEMENT, "signatures": [{"sig": b64(signature)}]}
        material["dsseEnvelope"] = envelope
    else:
        name, function = HASHES.get(scheme, SHA256)
        digest = {"algorithm": name, "digest": b64(function(message).digest())}
        material["messageSignature"] = {"messageDigest": digest, "signature": b64(key(message))}
    with open(bundle, "w", encoding="utf-8") as out:
        json.dump(material, out)


def make_key(scheme):
    """A public key in PEM and the function that signs."""
    if scheme == "ed25519ph":
        key = ECC.generate(curve="Ed25519")
        pem = key.public_key().export_key(format="PEM").encode()
        return pem, lambda message: eddsa.new(key, "rfc8032").sign(SHA512.new(message))
    if scheme == "rsa-pss-sha256":
        key = rsa.generate_private_key(65537, 2048)
        return spki(key), lambda message: key.sign(message, PSS, hashes.SHA256())
    key = ML_DSA[scheme].generate()
    return spki(key), key.sign


def spki(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def pae(payload_type, payload):
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)


def b64(data):
    return base64.b64encode(data).decode()


def read(path):
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    try:
        {"verify": verify, "sign": sign}[sys.argv[1]](*sys.argv[2:])
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
