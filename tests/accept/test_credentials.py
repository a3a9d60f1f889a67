"""Bearer tokens and signatures."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from starlette.datastructures import Headers

from alertgate.accept.credentials import (
    CredentialCheck,
    Presented,
    bearer,
    fits_libraries,
    hub_signature,
    presented_by,
    standard_headers,
    standard_webhook,
)
from tests.builders import for_any

TOKEN = "particle-token-0123456789abcdef"
PREVIOUS = "particle-token-of-last-year-0123"

# GitHub, "Validating webhook deliveries", "Testing the webhook payload validation".
GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB_BODY = b"Hello, World!"
GITHUB_DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

# The Standard Webhooks specification, "Signature scheme".
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
STANDARD_TIMESTAMP = "1614265330"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
STANDARD_TIME = datetime.fromtimestamp(1614265330, UTC)

# Computed by the npm package standardwebhooks 1.1.1, whose keys are the secrets below:
# new Webhook(secret).sign(STANDARD_ID, new Date(1614265330000), body).
JAVASCRIPT_BODY = '{"event":"backup/failed","message":"Größe ✓"}'.encode()
JAVASCRIPT_SIGNATURES = {
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=": "v1,Vv3IYrs5K5m9YhgzW9GLGFQOL2QxevDvSSIMJ+GNh84=",
    "whsec_+/+/AwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=": "v1,gfElkotxLdCPyY/xhqTzdQ/YwwLmTVzZUCrOnsRzTRA=",
    "whsec_+w/8CpkzaTbWfTWSRjZCY1eXDjrkQI8l": "v1,GJ2T542UfMKnD3W16oD5GBJz2BTw0UPGc/oBKPGewtA=",
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "v1,Xqm33QU7sDGGA0O8rEcMOWbZOR3v0qgPiB9KaiaqPTA=",
}

any_text = st.text(st.characters(exclude_categories=()))


def _standard(
    message_id: str = STANDARD_ID,
    timestamp: str = STANDARD_TIMESTAMP,
    signatures: str = STANDARD_SIGNATURE,
    body: bytes = STANDARD_BODY,
    secrets: tuple[str, ...] = (STANDARD_SECRET,),
    now: datetime = STANDARD_TIME,
) -> CredentialCheck:
    return standard_webhook(message_id, timestamp, signatures, body, secrets, now)


def _signed_with(key: bytes, timestamp: str = STANDARD_TIMESTAMP) -> str:
    content = f"{STANDARD_ID}.{timestamp}.".encode() + STANDARD_BODY
    return f"v1,{base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()}"


@pytest.mark.parametrize(
    "header",
    [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER {TOKEN}", f"Bearer   {TOKEN}", f"Bearer {TOKEN} "],
)
def test_the_right_token_passes(header):
    """The token passes, whatever the case of the scheme and the spaces around it."""
    assert bearer([header], [TOKEN]) == CredentialCheck.OK


@pytest.mark.parametrize(
    "token",
    [
        TOKEN[:-1],
        TOKEN + "0",
        TOKEN + TOKEN,
        f"{TOKEN} {TOKEN}",
        f"{TOKEN},{TOKEN}",
        TOKEN.upper(),
        TOKEN[::-1],
        f"{TOKEN[:-1]}é",
        "\udcff" + TOKEN,
        TOKEN.replace("a", "\u0430"),
        "None",
    ],
    ids=ascii,
)
def test_a_wrong_token_is_a_mismatch(token):
    """A truncated, extended, doubled or look-alike token doesn't pass."""
    assert bearer([f"Bearer {token}"], [TOKEN]) == CredentialCheck.MISMATCH


def test_a_request_without_authorization_is_missing():
    """A request without the header gets the result MISSING."""
    assert bearer([], [TOKEN]) == CredentialCheck.MISSING


@pytest.mark.parametrize(
    "headers",
    [
        [""],
        ["Bearer"],
        ["Bearer "],
        ["Bearer    "],
        [TOKEN],
        [f"Basic {TOKEN}"],
        [f"Bearer{TOKEN}"],
        [f"Bearer\t{TOKEN}"],
        [f"Bearer {TOKEN}", f"Bearer {TOKEN}"],
        [f"Bearer {TOKEN}", "Bearer another"],
    ],
)
def test_any_other_authorization_is_malformed(headers):
    """An empty token, another scheme, or the header twice isn't what the path expects."""
    assert bearer(headers, [TOKEN]) == CredentialCheck.MALFORMED


@pytest.mark.parametrize("token", [TOKEN, PREVIOUS])
def test_both_tokens_pass_during_a_rotation(token):
    """The current and the previous token both pass."""
    assert bearer([f"Bearer {token}"], [TOKEN, PREVIOUS]) == CredentialCheck.OK


def test_the_previous_token_fails_after_a_rotation():
    """The previous token doesn't pass once it is no longer set."""
    assert bearer([f"Bearer {PREVIOUS}"], [TOKEN]) == CredentialCheck.MISMATCH


def test_without_a_secret_no_token_passes():
    """If no secret is set, every token is wrong."""
    assert bearer([f"Bearer {TOKEN}"], []) == CredentialCheck.MISMATCH


def test_githubs_published_signature_passes():
    """The example of GitHub's documentation passes."""
    assert hub_signature([f"sha256={GITHUB_DIGEST}"], GITHUB_BODY, [GITHUB_SECRET]) == CredentialCheck.OK


def test_a_signature_in_capitals_passes():
    """Hex digits are accepted in either case."""
    assert hub_signature([f"sha256={GITHUB_DIGEST.upper()}"], GITHUB_BODY, [GITHUB_SECRET]) == CredentialCheck.OK


@pytest.mark.parametrize("secrets", [["another secret", GITHUB_SECRET], [GITHUB_SECRET, "another secret"]])
def test_both_signing_keys_pass_during_a_rotation(secrets):
    """A signature with the current or the previous key passes."""
    assert hub_signature([f"sha256={GITHUB_DIGEST}"], GITHUB_BODY, secrets) == CredentialCheck.OK


@pytest.mark.parametrize(
    ("body", "secret"),
    [
        (b"Hello, World", GITHUB_SECRET),
        (b"Hello, World!\n", GITHUB_SECRET),
        (b"", GITHUB_SECRET),
        (GITHUB_BODY, "It's a Secret to Nobody"),
        (GITHUB_BODY, ""),
    ],
)
def test_a_signature_of_something_else_is_a_mismatch(body, secret):
    """A changed body or another key doesn't pass."""
    assert hub_signature([f"sha256={GITHUB_DIGEST}"], body, [secret]) == CredentialCheck.MISMATCH


@pytest.mark.parametrize(
    "digest", [f"{GITHUB_DIGEST[:-1]}8", "0" * 64, f"{GITHUB_DIGEST[:-1]}é", "\udcff" * 64], ids=ascii
)
def test_a_wrong_digest_is_a_mismatch(digest):
    """A digest of the right length that isn't the body's doesn't pass."""
    assert hub_signature([f"sha256={digest}"], GITHUB_BODY, [GITHUB_SECRET]) == CredentialCheck.MISMATCH


@pytest.mark.parametrize(
    "headers",
    [
        [""],
        ["sha256="],
        [GITHUB_DIGEST],
        [f"sha1={GITHUB_DIGEST}"],
        [f"SHA256={GITHUB_DIGEST}"],
        [f"sha256={GITHUB_DIGEST[:-1]}"],
        [f"sha256={GITHUB_DIGEST}0"],
        [f"sha256={GITHUB_DIGEST}{GITHUB_DIGEST}"],
        [f"sha256={GITHUB_DIGEST},sha256={GITHUB_DIGEST}"],
        [f"sha256={GITHUB_DIGEST}", f"sha256={GITHUB_DIGEST}"],
        [f"sha256={GITHUB_DIGEST}", f"sha256={'0' * 64}"],
    ],
)
def test_any_other_signature_header_is_malformed(headers):
    """Another algorithm, a truncated or doubled digest, or the header twice isn't what the path expects."""
    assert hub_signature(headers, GITHUB_BODY, [GITHUB_SECRET]) == CredentialCheck.MALFORMED


def test_a_request_without_a_signature_is_missing():
    """A request without the header gets the result MISSING."""
    assert hub_signature([], GITHUB_BODY, [GITHUB_SECRET]) == CredentialCheck.MISSING


def test_the_specifications_standard_webhook_passes():
    """The example of the Standard Webhooks specification passes."""
    assert _standard() == CredentialCheck.OK


@pytest.mark.parametrize(
    "signatures",
    [
        f"v1,{'A' * 43}= {STANDARD_SIGNATURE}",
        f"{STANDARD_SIGNATURE} v1,{'A' * 43}=",
        f"v1a,of-a-public-key {STANDARD_SIGNATURE}",
        f"{STANDARD_SIGNATURE} {STANDARD_SIGNATURE}",
    ],
)
def test_one_matching_signature_among_several_is_enough(signatures):
    """A sender that rotates its key signs with both keys; one match is enough."""
    assert _standard(signatures=signatures) == CredentialCheck.OK


@pytest.mark.parametrize(
    "secrets", [("whsec_bmV3LWtleS1uZXcta2V5LW5ldw==", STANDARD_SECRET), (STANDARD_SECRET, "plain-text-secret")]
)
def test_both_standard_keys_pass_during_a_rotation(secrets):
    """A signature with the current or the previous key passes."""
    assert _standard(secrets=secrets) == CredentialCheck.OK


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("signing-key-0123456789abcdefghi", b"signing-key-0123456789abcdefghi"),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("Schlüssel für Tür und Tor", "Schlüssel für Tür und Tor".encode()),
    ],
)
def test_a_secret_may_be_plain_text_or_base64(secret, key):
    """A secret is tried as plain text, and as base64 if it is valid base64."""
    assert _standard(signatures=_signed_with(key), secrets=(secret,)) == CredentialCheck.OK


@pytest.mark.parametrize("secret", JAVASCRIPT_SIGNATURES)
def test_what_the_javascript_library_signs_passes(secret):
    """Its signatures pass with the same secret, and with that secret in base64's other forms."""
    forms = {secret, secret.rstrip("="), secret.translate(str.maketrans("+/", "-_"))}
    for form in forms | {form.rstrip("=") for form in forms}:
        checked = _standard(body=JAVASCRIPT_BODY, signatures=JAVASCRIPT_SIGNATURES[secret], secrets=(form,))
        assert checked == CredentialCheck.OK


@for_any
@given(
    st.binary(min_size=1, max_size=80),
    st.sampled_from(["whsec_", ""]),
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
    st.sampled_from(["", "="]),
    st.text(st.characters(exclude_categories=("Cs",))),
)
def test_whatever_the_python_library_signs_passes(key, prefix, encode, padding, body):
    """Any key passes in any form of its base64, whatever the body."""
    secret = prefix + encode(key).decode().rstrip(padding or "\0")
    signed = Webhook(key).sign(STANDARD_ID, STANDARD_TIME, body)
    assert _standard(signatures=signed, body=body.encode(), secrets=(secret,)) == CredentialCheck.OK


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_=", "whsec_" + "=" * 20, "====", "whsec_A", "whsec_A==="])
def test_a_secret_without_a_key_lets_nobody_pass(secret):
    """What is left of it is no key: an empty one would be everybody's."""
    assert _standard(signatures=_signed_with(b""), secrets=(secret,)) == CredentialCheck.MISMATCH


@pytest.mark.parametrize(
    ("secret", "fits"),
    [
        *((secret, True) for secret in JAVASCRIPT_SIGNATURES),
        ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", False),
        ("whsec_-_-_AwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", False),
        ("signing-key-0123456789abcdefghi", False),
        ("Schlüssel für Tür und Tor", False),
        ("whsec_", False),
        ("whsec_whsec_AAEC", False),
    ],
)
def test_the_libraries_take_padded_standard_base64(secret, fits):
    """With or without the prefix; anything else fails in one of them, or signs with another key."""
    assert fits_libraries(secret) == fits


@for_any
@given(st.text(st.characters(exclude_categories=("Cs",))) | st.binary().map(lambda key: base64.b64encode(key).decode()))
def test_a_secret_that_fits_signs_with_its_whole_key(secret):
    """Where we say so, the Python library takes it as it is, and we take what it signs."""
    if fits_libraries(secret):
        signed = Webhook(secret).sign(STANDARD_ID, STANDARD_TIME, "{}")
        assert _standard(signatures=signed, body=b"{}", secrets=(secret,)) == CredentialCheck.OK


@pytest.mark.parametrize(
    ("headers", "judged"),
    [
        ({}, Presented.BEARER),
        ({"Authorization": "Bearer x"}, Presented.BEARER),
        ({"webhook-id": "1", "svix-timestamp": "1"}, Presented.BEARER),
        ({"Svix-Signature": "", "Authorization": "Bearer x"}, Presented.SVIX),
        ({"svix-signature": "s", "Webhook-Signature": "s"}, Presented.STANDARD),
        ({"svix-signature": "s", "webhook-signature": "s", "x-hub-signature-256": ""}, Presented.HUB),
    ],
)
def test_a_signature_is_judged_before_a_token(headers, judged):
    """Whatever its value: who presents a signature isn't let in by anything else."""
    assert presented_by(Headers(headers)) == judged


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        ({}, ("", "", "")),
        ({"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "s"}, ("a", "1", "s")),
        ({"svix-id": "b", "svix-timestamp": "2", "svix-signature": "t"}, ("b", "2", "t")),
        ({"svix-id": "b", "svix-timestamp": "2", "svix-signature": "t", "webhook-id": "a"}, ("b", "2", "t")),
        ({"svix-id": "b", "svix-timestamp": "2", "webhook-signature": "s"}, ("", "", "s")),
        ({"webhook-id": "a"}, ("a", "", "")),
    ],
)
def test_the_names_of_standard_webhooks_are_not_mixed(headers, read):
    """All three by the one name or by the other."""
    assert standard_headers(Headers(headers)) == read


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": "msg_another"},
        {"timestamp": "1614265331"},
        {"timestamp": " 1614265330"},
        {"body": b'{"test": 2432232315}'},
        {"body": b""},
        {"secrets": ("whsec_bmV3LWtleS1uZXcta2V5LW5ldw==",)},
        {"secrets": ()},
        {"signatures": STANDARD_SIGNATURE[:-1]},
        {"signatures": STANDARD_SIGNATURE.swapcase().replace("V1", "v1")},
        {"signatures": f"{STANDARD_SIGNATURE}{STANDARD_SIGNATURE}"},
        {"signatures": "v1,"},
        {"signatures": "v1,é"},
        {"message_id": "\ud800"},
    ],
    ids=ascii,
)
def test_a_standard_signature_of_something_else_is_a_mismatch(changes):
    """Id, timestamp, body and key are all signed; a truncated or doubled signature doesn't pass."""
    assert _standard(**changes) == CredentialCheck.MISMATCH


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": ""},
        {"timestamp": ""},
        {"signatures": ""},
        {"signatures": " "},
        {"timestamp": "yesterday"},
        {"timestamp": "1614265330.5"},
        {"timestamp": "9" * 30},
        {"timestamp": "9" * 5000},
        {"signatures": STANDARD_SIGNATURE.removeprefix("v1,")},
        {"signatures": STANDARD_SIGNATURE.replace("v1", "v2")},
        {"signatures": STANDARD_SIGNATURE.replace("v1", "v1a")},
    ],
    ids=lambda changes: str(changes)[:50],
)
def test_incomplete_standard_headers_are_malformed(changes):
    """All three headers are needed, with a timestamp in seconds and a signature of version 1."""
    assert _standard(**changes) == CredentialCheck.MALFORMED


@pytest.mark.parametrize(
    ("away", "verdict"),
    [
        (timedelta(minutes=5), CredentialCheck.OK),
        (timedelta(minutes=-5), CredentialCheck.OK),
        (timedelta(minutes=5, microseconds=1), CredentialCheck.EXPIRED),
        (timedelta(minutes=-5, microseconds=-1), CredentialCheck.EXPIRED),
        (timedelta(days=400), CredentialCheck.EXPIRED),
        (timedelta(days=-400), CredentialCheck.EXPIRED),
    ],
)
def test_a_replay_outside_five_minutes_is_refused(away, verdict):
    """A signed request is valid for five minutes before and after its timestamp, and no longer."""
    assert _standard(now=STANDARD_TIME + away) == verdict


def test_an_old_request_with_a_wrong_signature_is_a_mismatch():
    """Only a caller that knows the key learns that the clocks differ."""
    assert _standard(body=b"{}", now=STANDARD_TIME + timedelta(days=1)) == CredentialCheck.MISMATCH


@for_any
@given(
    st.lists(any_text | any_text.map("Bearer {}".format), max_size=2),
    st.lists(st.text(st.characters(codec="ascii"))),
)
def test_no_authorization_makes_bearer_raise(headers, secrets):
    """Any header gives a result."""
    assert bearer(headers, secrets) in CredentialCheck


@for_any
@given(st.lists(any_text | any_text.map("sha256={}".format), max_size=2), st.binary())
def test_no_header_makes_hub_signature_raise(headers, body):
    """Any header gives a result, and never OK."""
    assert hub_signature(headers, body, [TOKEN]) in {
        CredentialCheck.MISSING,
        CredentialCheck.MALFORMED,
        CredentialCheck.MISMATCH,
    }


@for_any
@given(
    any_text,
    any_text | st.integers().map(str),
    any_text | any_text.map("v1,{}".format),
    st.binary(),
    st.text(st.characters(exclude_categories=("Cs",))),
)
def test_no_header_makes_standard_webhook_raise(message_id, timestamp, signatures, body, secret):
    """Any headers and secret give a result, and never OK."""
    verdict = standard_webhook(message_id, timestamp, signatures, body, [secret], STANDARD_TIME)
    assert verdict in {CredentialCheck.MALFORMED, CredentialCheck.MISMATCH}


@for_any
@given(st.binary(), st.text(st.characters(exclude_categories=("Cs",))))
def test_every_correct_signature_passes(body, secret):
    """A correct signature passes for any body and any key."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert hub_signature([f"sha256={digest}"], body, [secret]) == CredentialCheck.OK
