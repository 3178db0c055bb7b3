"""The token of [endpoint], verified from its description alone. python3 endpoint_token.py SECRETFILE TOKEN prints the claims."""

import base64
import hashlib
import hmac
import sys
import time

import json


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token, secret):
    signed, _, signature = token.rpartition(".")
    version, _, payload = signed.partition(".")
    if version != "v1":
        raise ValueError("unknown version")
    if not hmac.compare_digest(hmac.new(secret, signed.encode(), hashlib.sha256).digest(), decoded(signature)):
        raise ValueError("wrong signature")
    claims = json.loads(decoded(payload))
    if claims["e"] < time.time():
        raise ValueError("expired")
    return claims


with open(sys.argv[1], "rb") as file:
    print(json.dumps(claims_of(sys.argv[2], file.read())), end="")
