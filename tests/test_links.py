"""The tokens of links, and where messages have room for one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.links import Links, fingerprint
from alertgate.notify import linking
from alertgate.notify.channels.base import Level
from alertgate.notify.channels.registry import targets
from alertgate.notify.render.text import SEGMENT, septets, with_link
from tests.builders import for_any
from tests.conftest import MakeSettings

OLD, NEW = "an-old-key-0123456789abcdef", "a-new-key-0123456789abcdef"
URL = "https://alerts.example.org"


@for_any
@given(st.uuids())
def test_a_token_is_short_and_belongs_to_one_notification(identity):
    """Twelve bytes as base64url; nobody else's token is believed."""
    links, notification = Links(URL, [NEW]), str(identity)
    token = links.token(notification)
    assert re.fullmatch(r"[A-Za-z0-9_-]{16}", token)
    assert links.url(notification) == f"{URL}/a/{token}"
    assert links.believes(token, notification)
    assert not links.believes(token, "another")
    assert not links.believes(token.swapcase(), notification)


def test_a_token_is_the_documented_hmac():
    """The first 12 bytes of HMAC-SHA256(SECRET_KEY, "link:v1:" + id): whoever has the key can compute it."""
    assert Links(URL, ["key"]).token("id") == "C_lsY4jNe7qUmV2S"


def test_links_outlive_a_rotated_key_until_it_is_taken_out():
    """The previous key's tokens are believed, and new ones are made with the present key."""
    old = Links(URL, [OLD]).token("n1")
    assert Links(URL, [NEW, OLD]).believes(old, "n1")
    assert not Links(URL, [NEW]).believes(old, "n1")
    assert Links(URL, [NEW, OLD]).token("n1") == Links(URL, [NEW]).token("n1")


@pytest.mark.parametrize("text", ["", "x", "a" * 15, "a" * 17, "ä" * 16, "\ud800", "\x00", "../../etc/passwd"])
def test_what_is_no_token_is_not_believed(text):
    """Whatever text stands in its place, it has a fingerprint to look for, and belongs to nothing."""
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint(text))
    assert not Links(URL, [NEW]).believes(text, "n1")


def test_messages_have_links_only_with_an_address_and_a_key(make_settings: MakeSettings):
    """Without PUBLIC_URL or SECRET_KEY there are none."""
    assert linking.links_of(make_settings(secret_key=NEW)) is None
    assert linking.links_of(make_settings(public_url=URL)) is None
    links = linking.links_of(make_settings(public_url=URL, secret_key=NEW, secret_key_previous=OLD))
    assert links is not None
    assert links.believes(Links(URL, [OLD]).token("n1"), "n1")


@pytest.mark.parametrize(
    ("more", "level", "says"),
    [
        ({}, Level.WARN, "SECRET_KEY isn't"),
        ({"secret_key": NEW}, Level.OK, "each message has a link"),
        ({"secret_key": NEW, "recipient_sms": "5@texts.example.com"}, Level.OK, "each message has a link"),
        (
            {"secret_key": NEW, "public_url": f"{URL}/{'x' * 40}", "recipient_sms": "5@texts.example.com"},
            Level.WARN,
            "leaves 73 characters of a text message",
        ),
        (
            {"secret_key": NEW, "public_url": f"{URL}/{'x' * 40}", "recipient_email": "5@vtext.com"},
            Level.WARN,
            "leaves 73 characters of a text message",
        ),
        ({"secret_key": NEW, "public_url": f"{URL}/{'x' * 40}"}, Level.OK, "each message has a link"),
    ],
)
def test_check_says_whether_messages_have_links(make_settings: MakeSettings, more, level, says):
    """A key that is missing, and an address that leaves no room in text messages, are named."""
    settings = make_settings(**{"public_url": URL, "smtp_email": "gate@example.org", **more})
    [finding] = linking.findings(settings, targets(settings))
    assert (finding.what, finding.level) == ("PUBLIC_URL", level)
    assert says in finding.text
    assert linking.findings(make_settings(), []) == []


@pytest.mark.parametrize("length", [1, 100, 113, 114, 115, 116, 160, 400])
def test_a_text_message_has_its_link_only_beside_all_of_its_text(length):
    """One segment, and nothing is left out for the link."""
    link, text = Links(URL, [NEW]).url("n1"), "x" * length
    sent = with_link(text, link)
    fits = length + 1 + len(link) <= SEGMENT
    assert (sent == f"{text} {link}") is fits
    assert (link in sent) is fits
    assert septets(sent) <= SEGMENT
    assert with_link(text, None) == (text if length <= SEGMENT else "x" * 157 + "...")


def test_characters_that_take_two_septets_count_twice():
    """A text message of braces has half the room."""
    link = Links(URL, [NEW]).url("n1")
    room = SEGMENT - 1 - len(link)
    assert link in with_link("{" * (room // 2), link)
    assert link not in with_link("{" * (room // 2 + 1), link)
