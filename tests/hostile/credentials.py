"""The credentials that schemathesis sends. It loads this as its hooks, in its own process."""

import os

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase

from tests.conftest import sign


class Bearer(AuthBase):
    """Sends the token that a setting holds."""

    def __init__(self, setting: str) -> None:
        self._token = os.environ[setting]

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self._token}"
        return r


class Signature(AuthBase):
    """Signs each body as it is sent."""

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        body = r.body or b""
        raw = body.encode() if isinstance(body, str) else body
        r.headers["X-Hub-Signature-256"] = sign(raw, os.environ["WEBHOOK_SECRET"])
        return r


schemathesis.auth.set_from_requests(Bearer("PARTICLE_WEBHOOK_SECRET")).apply_to(path="/webhook/particle")
schemathesis.auth.set_from_requests(Signature()).apply_to(path="/webhook/generic")
schemathesis.auth.set_from_requests(Bearer("API_TOKEN")).apply_to(path_regex="^/(api/|status)")
schemathesis.auth.set_from_requests(Bearer("METRICS_TOKEN")).apply_to(path="/metrics")
