"""A message as a mail."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.notify.channels.base import Message, Picture
from alertgate.notify.channels.mail import compose
from alertgate.notify.render.text import one_line
from tests.builders import for_any

PLAIN = Message(
    to="5551234567@vtext.com",
    text="WARNING Front door: alarm/motion - hall",
    message_id="notification-1@example.net",
    thread_id="incident.incident-1@example.net",
    date=datetime(2026, 11, 23, 14, 3, 0, 0, UTC),
)
RICH = Message(
    to="me@example.com",
    text="Tür offen\n",
    message_id="notification-1@example.net",
    thread_id="incident.incident-1@example.net",
    date=datetime(2026, 11, 23, 14, 3, 0, 0, UTC),
    subject="[CRITICAL] Haustür: alarm/motion",
    html="<p>Tür offen</p>\n",
    urgent=True,
)
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
]

# What a device may put where the subject shows it, to break out of the header.
ATTACKS = [
    "=?utf-8?q?a=0D=0ABcc:_evil@example.org?=",
    "=?UTF-8?Q?a=0ABcc:_evil@example.org?=",
    "=?utf-8?b?YQ0KQmNjOiBldmlsQGV4YW1wbGUub3Jn?=",
    "=?us-ascii*en?q?a=0D=0ABcc:_evil@example.org?=",
    "==??utf-8?q?a=0D=0ABcc:_evil@example.org?=",
]


def _received(message: Message) -> EmailMessage:
    """Return the mail as a recipient's program parses it, with its own line endings."""
    sent = compose(message, "alerts@example.net").replace(b"\r\n", b"\n")
    mail = message_from_bytes(sent, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def _with_subject(subject: str) -> Message:
    return Message(PLAIN.to, PLAIN.text, PLAIN.message_id, PLAIN.thread_id, PLAIN.date, subject)


def _part(mail: EmailMessage, kind: str) -> EmailMessage:
    part = mail.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return part


def test_a_text_message_is_plain():
    """A text message has neither subject nor HTML, because a gateway would include them."""
    mail = _received(PLAIN)
    assert list(mail) == [name for name in HEADERS if name != "Subject"]
    assert (mail.get_content_type(), mail.get_content()) == ("text/plain", PLAIN.text + "\n")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("x" * 160, "x" * 160),
        ("y=1; " + "z " * 70 + "end", "y=1; " + "z " * 70 + "end"),
        ("x" * 998, "x" * 998),
        (
            "CRITICAL Küche: Wasser - 5 °C" + ", langes Wort" * 9,
            "CRITICAL Kuche: Wasser - 5 degC" + ", langes Wort" * 9,
        ),
        ("WARNING Straße £5 €6 ÆØÅ ñ", "WARNING Strasse GBP5 EUR6 AeOA n"),
        ("ΔΦΓΛΩΠΨΣΘΞ" * 16, "DFGLOPPsSThX" * 13 + "D..."),
        ("From here on\n.\n..", "From here on\n.\n.."),
    ],
    ids=["160", "equals signs", "998", "umlauts", "signs", "Greek", "lines"],
)
def test_a_gateway_gets_each_line_as_it_is(text, content):
    """No encoding in the raw mail, however long the line: what a gateway passes on can be read."""
    raw = compose(replace(PLAIN, text=text), "alerts@example.net")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body.decode("ascii") == content.replace("\n", "\r\n") + "\r\n"
    assert b"Content-Transfer-Encoding: 7bit" in head
    assert b'charset="us-ascii"' in head
    assert _received(replace(PLAIN, text=text)).get_content() == content + "\n"


def test_a_line_that_no_server_takes_is_encoded():
    """RFC 5322 ends a line at 998 characters; a text message has 160."""
    raw = compose(replace(PLAIN, text="x" * 999), "alerts@example.net")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert _received(replace(PLAIN, text="x" * 999)).get_content() == "x" * 999 + "\n"


def test_a_mail_has_its_headers():
    """A mail has sender, recipient, date and ids, and says that it is automatic."""
    mail = _received(RICH)
    assert {name: mail[name] for name in (*HEADERS[:8], "X-Priority")} == {
        "From": "alertgate <alerts@example.net>",
        "To": "me@example.com",
        "Subject": "[CRITICAL] Haustür: alarm/motion",
        "Date": "Mon, 23 Nov 2026 14:03:00 +0000",
        "Message-ID": "<notification-1@example.net>",
        "References": "<incident.incident-1@example.net>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "X-Priority": "1",
    }


@pytest.mark.parametrize(
    "name",
    [
        "alertgate",
        "Küche",
        'Haus, "Garten" (2)',
        "می\u200cنا",
        "🔥 \U0001f468\u200d\U0001f467",
        "a <b@c>",
        "\\",
        "x" * 64,
    ],
)
def test_a_mail_shows_the_senders_name(name):
    """Any name is one display name with the one address, in ASCII and in lines that every server takes."""
    raw = compose(PLAIN, "alerts@example.net", name)
    mail = message_from_bytes(raw, policy=policy.default)
    [address] = mail["From"].addresses
    assert (address.display_name, address.addr_spec) == (name, "alerts@example.net")
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert (max(map(len, head)) <= 78, raw.isascii()) == (True, True)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_senders_name_adds_no_header(attack):
    """What looks like an encoded word is shown as it is."""
    mail = message_from_bytes(compose(PLAIN, "alerts@example.net", attack), policy=policy.default)
    assert list(mail) == [name for name in HEADERS if name != "Subject"]
    assert mail["From"].addresses[0].display_name == attack.replace("=?", "= ?")


def test_a_mail_has_text_and_html():
    """Both forms say the same; a program that shows HTML takes the last."""
    mail = _received(RICH)
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert (_part(mail, "plain").get_content(), _part(mail, "html").get_content()) == (RICH.text, RICH.html)


def test_only_an_urgent_mail_has_a_priority():
    """Other mails have no X-Priority."""
    assert _received(PLAIN)["X-Priority"] is None


def test_a_picture_is_attached_to_the_html():
    """The picture is a related part of the HTML, which shows it by its Content-ID."""
    picture = Picture("png", b"\x89PNG\r\n\x1a\n")
    mail = _received(
        Message(RICH.to, RICH.text, RICH.message_id, RICH.thread_id, RICH.date, RICH.subject, RICH.html, picture)
    )
    [image] = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    assert (image.get_content_type(), image["Content-ID"], image.get_filename(), image.get_content()) == (
        "image/png",
        "<picture@alertgate>",
        "picture.png",
        picture.content,
    )
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "multipart/related"]


@pytest.mark.parametrize("address", ["o'brien+alerts@example.com", "a.b@[192.0.2.1]", "5551234567@vtext.com"])
def test_addresses_are_not_changed(address):
    """Unusual but valid addresses are kept."""
    message = Message(address, PLAIN.text, PLAIN.message_id, PLAIN.thread_id, PLAIN.date)
    assert _received(message)["To"] == address


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("form", ["{}", "[WARNING] Front door: {}", "Tür {} ü", "x" * 100 + " {}"])
def test_an_encoded_line_break_does_not_add_a_header(form, attack):
    """An encoded word in a subject is shown as the device wrote it, not decoded into lines."""
    mail = _received(_with_subject(form.format(attack)))
    assert list(mail) == HEADERS
    assert "evil" not in (mail["Bcc"] or "")
    assert mail["Subject"] == form.format(attack).replace("=?", "= ?")


@pytest.mark.parametrize("subject", ["a\r\nBcc: b@example.org", "a\nb", "a\rb", "a\x0bBcc: b", "ä\u2028Bcc: b", "a\n"])
def test_a_raw_line_break_is_refused(subject):
    """A subject with a line break raises, so that no mail is sent."""
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        compose(_with_subject(subject), "alerts@example.net")


@pytest.mark.parametrize("address", ["me@example.com\r\nBcc: b@example.org", "me\n@example.com"])
def test_a_line_break_in_an_address_is_refused(address):
    """An address can't break out of its header either."""
    with pytest.raises(ValueError, match="CR or LF"):
        compose(Message(address, "x", PLAIN.message_id, PLAIN.thread_id, PLAIN.date), "alerts@example.net")


@pytest.mark.parametrize("address", ["jörg@example.com", "me@exämple.com"])
def test_an_address_that_is_not_ascii_is_refused(address):
    """The library would write it as an encoded word, which is no address."""
    with pytest.raises(ValueError, match="ascii"):
        compose(Message(address, "x", PLAIN.message_id, PLAIN.thread_id, PLAIN.date), "alerts@example.net")


def test_a_long_subject_keeps_its_spaces():
    """Folding between non-ASCII words keeps the spaces between them."""
    subject = "offen [CRITICAL] 🚪 offen Küche a 日本語 日本語テキスト 日本語テキスト 🚪 offen"
    mail = compose(_with_subject(subject), "alerts@example.net")
    assert message_from_bytes(mail, policy=policy.default)["Subject"] == subject
    assert max(map(len, mail.split(b"\r\n"))) <= 76


def test_ids_are_not_folded_for_a_long_domain():
    """Mail programs compare ids literally, so no id is folded or encoded."""
    domain = "a-long-label-of-a-domain-name-that-goes-on-and-on.and-another-long-label.example.co.uk"
    thread = f"incident.019aaee5-a003-7000-8000-000000000000@{domain}"
    mail = compose(Message(PLAIN.to, PLAIN.text, f"n@{domain}", thread, PLAIN.date), f"alerts@{domain}")
    assert f"\r\nReferences: <{thread}>\r\n".encode() in mail
    assert f"\r\nMessage-ID: <n@{domain}>\r\n".encode() in mail


@for_any
@given(
    st.text(
        st.characters(exclude_categories=()) | st.sampled_from("=?utf-8?q?=0D=0A?= \r\n:;,<>@\"'(){}"), max_size=300
    )
    | st.tuples(st.text(), st.sampled_from(ATTACKS), st.text()).map("".join)
)
def test_no_subject_breaks_out_of_its_header(text):
    """Whatever text a device sends, the mail has exactly its own headers and its own body."""
    mail = _received(_with_subject(one_line(text, 140)))
    assert (list(mail), mail.get_content()) == (HEADERS, PLAIN.text + "\n")


@for_any
@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_body_is_carried(text):
    """Any text can be composed, and no part of it becomes a header."""
    mail = _received(Message(PLAIN.to, text, PLAIN.message_id, PLAIN.thread_id, PLAIN.date))
    assert [name for name in mail if name != "Subject"] == [name for name in HEADERS if name != "Subject"]
    assert mail.get_content_type() == "text/plain"
