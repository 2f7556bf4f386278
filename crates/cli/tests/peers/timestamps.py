"""rfc3161-client as a program.

timestamps.py stamp URL HASH FILE REPLY      writes the answer, says the nonce of the request
timestamps.py verify CHAIN NONCE FILE REPLY  says `refused: ` and why, and ends with 1
"""

import sys
import urllib.request

from cryptography.x509 import load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def stamp(url, algorithm, file, reply):
    builder = TimestampRequestBuilder().data(read(file)).hash_algorithm(HashAlgorithm[algorithm])
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    headers = {"Content-Type": "application/timestamp-query"}
    with urllib.request.urlopen(urllib.request.Request(url, request.as_bytes(), headers)) as answer:
        with open(reply, "wb") as file:
            file.write(answer.read())
    print(request.nonce)


def verify(chain, nonce, file, reply):
    own, *above = load_pem_x509_certificates(read(chain))
    builder = VerifierBuilder().tsa_certificate(own).add_root_certificate(above[-1]).nonce(int(nonce))
    for certificate in above[:-1]:
        builder = builder.add_intermediate_certificate(certificate)
    try:
        builder.build().verify_message(decode_timestamp_response(read(reply)), read(file))
    except (VerificationError, ValueError) as error:
        sys.exit(f"refused: {error}")


{"stamp": stamp, "verify": verify}[sys.argv[1]](*sys.argv[2:])
