"""A Message as the bytes of the mail that carries it (RFC 5322, RFC 2045 and 2046; RFC 3834 for Auto-Submitted).

The standard library's `EmailMessage` reads and folds every header with a grammar, which costs more than all else that
is done for a message (docs/adr/0009). What needs care in a mail is left to it: addresses, encoded words, dates.
"""

import base64
import binascii
from email.header import Header
from email.headerregistry import Address
from email.utils import format_datetime

from alertgate.notify.channels.base import PICTURE_ID, Message, Picture

LONGEST_LINE = 76
"""Characters of a line that travels as it is; RFC 2045 allows no more in what is encoded either."""

_Part = tuple[list[tuple[str, str]], bytes]
"""A body with the headers that describe it. Its lines end with CR LF, the last one too."""


def compose(message: Message, sender: str) -> bytes:
    """Return the mail for a message, with CR LF at the end of each line.

    Raises ValueError for a line break in a header, and for an address that isn't ASCII. What looks like an encoded word
    (RFC 2047) in a subject is taken apart: readers would decode it, line breaks and all (CVE-2024-6923).
    """
    headers = [("From", _address("alertgate", sender)), ("To", _address("", message.to))]
    if message.subject is not None:
        headers.append(("Subject", _subject(message.subject.replace("=?", "= ?"))))
    headers += [
        ("Date", format_datetime(message.date)),
        ("Message-ID", f"<{message.message_id}>"),
        ("References", f"<{message.thread_id}>"),
        ("Auto-Submitted", "auto-generated"),  # stops vacation replies
        ("X-Auto-Response-Suppress", "All"),  # the same, for Exchange
    ]
    if message.urgent:
        headers.append(("X-Priority", "1"))
    described, body = _content(message)
    return _head([*headers, *described, ("MIME-Version", "1.0")]) + body


def _content(message: Message) -> _Part:
    text = _text("plain", message.text)
    if message.html is None:
        return text
    html = _text("html", message.html)
    if message.picture:
        html = _multipart("related", [html, _image(message.picture)])
    return _multipart("alternative", [text, html])


def _head(headers: list[tuple[str, str]]) -> bytes:
    return "".join([*(f"{name}: {value}\r\n" for name, value in headers), "\r\n"]).encode("ascii")


def _address(name: str, address: str) -> str:
    """Return an address as a header has it. Raises ValueError for line breaks, and for what isn't ASCII."""
    local, _, domain = address.rpartition("@")
    return str(Address(name, local, domain))


def _subject(text: str) -> str:
    """Return a subject folded and, where it isn't ASCII, as encoded words. Raises ValueError for line breaks."""
    if text.splitlines() not in ([], [text]):  # what Python takes for a line end, `Header` does too
        raise ValueError("a subject may not contain linefeed or carriage return characters, nor their like")
    if text.isascii() and len("Subject: ") + len(text) <= LONGEST_LINE:
        return text
    charset = "us-ascii" if text.isascii() else "utf-8"
    folded = Header(text, charset, maxlinelen=LONGEST_LINE, header_name="Subject").encode(linesep="\r\n")
    return folded.lstrip()  # a first word that fills a line stays on the first one


def _text(subtype: str, text: str) -> _Part:
    """Return a text as it is if its lines are short ASCII, else as quoted-printable or base64, whichever is shorter."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    body = "\r\n".join([*lines, ""]).encode()
    if text.isascii() and max(map(len, lines)) <= LONGEST_LINE and "\0" not in text:
        encoding = "7bit"
    else:
        quoted = binascii.b2a_qp(body)
        encoding, body = min(("quoted-printable", quoted), ("base64", _base64(body)), key=lambda way: len(way[1]))
    return [("Content-Type", f'text/{subtype}; charset="utf-8"'), ("Content-Transfer-Encoding", encoding)], body


def _image(picture: Picture) -> _Part:
    headers = [
        ("Content-Type", f"image/{picture.subtype}"),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f'inline; filename="picture.{picture.subtype}"'),
        ("Content-ID", f"<{PICTURE_ID}>"),
    ]
    return headers, _base64(picture.content)


def _base64(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n")


def _multipart(subtype: str, parts: list[_Part]) -> _Part:
    """Return parts as one. The boundary is a line that stands in none of them (RFC 2046, 5.1.1)."""
    number = 0
    while any((boundary := b"=_%s-%d" % (subtype.encode(), number)) in body for _, body in parts):
        number += 1
    body = b"".join(b"--%s\r\n%s%s\r\n" % (boundary, _head(headers), body) for headers, body in parts)
    kind = f'multipart/{subtype}; boundary="{boundary.decode()}"'
    return [("Content-Type", kind)], body + b"--%s--\r\n" % boundary
