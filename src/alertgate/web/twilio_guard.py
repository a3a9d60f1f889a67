"""Lets in what Twilio sends: a form that is signed with the account's auth token, for the URL at which it was sent."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request

from alertgate.accept.credentials import CredentialCheck, twilio_signature
from alertgate.credential import Credential
from alertgate.errors import SwitchedOff, Unauthenticated
from alertgate.web.body import read_body
from alertgate.web.dependencies import Gate, client_address
from alertgate.web.guards import Guard, count_failure, let_in, sentence

MOST_FIELDS = 200
"""Fields of a form; Twilio sends about thirty."""
PORTS = {"http": 80, "https": 443}


async def twilio_guard(request: Request) -> Mapping[str, str]:
    """Return the fields of a form, once its signature has been checked.

    Raises SwitchedOff, RateLimited, BodyTooLarge, BodyTooSlow, ClientGone, Unauthenticated.
    """
    gate: Gate = request.app.state.gate
    token, public_url = gate.settings.twilio_auth_token, gate.settings.public_url
    if not (token and public_url):
        lacking = "PUBLIC_URL" if token else "TWILIO_AUTH_TOKEN"
        raise SwitchedOff(f"This is switched off, because {lacking} isn't set. Set it and restart alertgate.")
    async with gate.unverified.reading(client_address(request)) as turn:
        body = await read_body(request, gate, turn)
    fields = _fields(body)
    headers = request.headers.getlist("x-twilio-signature")
    path = (request.scope.get("raw_path") or b"").decode("latin-1")
    query = request.scope.get("query_string", b"").decode("latin-1")
    urls = signed_urls(f"{public_url}{path}" + (f"?{query}" if query else ""))
    check = twilio_signature(headers, urls, fields, [token.get_secret_value()])
    if check is not CredentialCheck.OK:
        count_failure(request, gate, Guard.TWILIO, check)
        raise Unauthenticated(
            f"{sentence(check)} Only Twilio may send this, signed with TWILIO_AUTH_TOKEN for a URL below PUBLIC_URL.",
            scheme="Signature",
        )
    let_in(request, Credential.TWILIO)
    return dict(fields)


def _fields(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form; none of what can't be one, which is signed by nobody."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return []


def signed_urls(url: str) -> list[str]:
    """Return a URL with its port and without: Twilio signs one or the other."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = host if parts.port is None else host.rpartition(":")[0]
    ported = f"{bare}:{parts.port or PORTS.get(parts.scheme, 443)}"
    rest = url.split(parts.netloc, 1)[1]
    return list(dict.fromkeys([url, f"{parts.scheme}://{bare}{rest}", f"{parts.scheme}://{ported}{rest}"]))


TwilioFields = Annotated[Mapping[str, str], Depends(twilio_guard)]
