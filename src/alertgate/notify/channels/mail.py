"""Compose a mail from a Message (RFC 5322; RFC 3834 for Auto-Submitted)."""

from email.header import Header
from email.headerregistry import Address, HeaderRegistry, MessageIDHeader, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from typing import Any

from anyascii import anyascii

from alertgate.notify.channels.base import PICTURE_ID, Message
from alertgate.notify.render.text import gsm7

SENDER_NAME = "alertgate"
"""Whom mails show as their sender, unless a setting says otherwise."""
LONGEST_LINE = 76
"""Maximum characters of a header line with encoded words (RFC 2047, 2)."""
LONGEST_PLAIN_LINE = 998
"""Maximum characters of any line (RFC 5322, 2.1.1)."""


class SubjectHeader(UniqueUnstructuredHeader):
    """A subject that keeps the spaces between non-ASCII words, which the library's own folding loses."""

    def fold(self, *, policy: Policy) -> str:
        """Return the folded header."""
        text = str(self)
        if text.isascii() and len("Subject: ") + len(text) <= LONGEST_LINE:
            return f"Subject: {text}{policy.linesep}"
        charset = "us-ascii" if text.isascii() else "utf-8"
        folded = Header(text, charset, maxlinelen=LONGEST_LINE, header_name="Subject").encode(linesep=policy.linesep)
        return f"Subject: {folded.lstrip()}{policy.linesep}"  # a long first word stays on the first line


class Headers(HeaderRegistry):
    """The header classes, cached, because creating a class takes longer than parsing a header."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}
        own: dict[str, Any] = {"subject": SubjectHeader, "references": MessageIDHeader}
        self.registry.update(own)  # References is one id, and must not be folded or encoded: mail programs thread by it

    def __getitem__(self, name: str) -> Any:
        """Return the class for a header."""
        if name not in self._made:
            self._made[name] = super().__getitem__(name)
        return self._made[name]


POLICY = SMTP.clone(cte_type="7bit", header_factory=Headers())
"""Lines end with CRLF, and content is 7-bit, because not every server offers 8BITMIME (RFC 6152)."""


def compose(message: Message, sender: str, name: str = SENDER_NAME) -> bytes:
    """Return the mail for a message, from `sender`, whom mail programs show as `name`.

    Raises ValueError for a line break in a header, and for an address that isn't ASCII.
    """
    mail = EmailMessage(policy=POLICY)
    mail["From"] = _address(_undecodable(name), sender)
    mail["To"] = _address("", message.to)
    if message.subject is not None:
        mail["Subject"] = _undecodable(_one_line(message.subject))
    mail["Date"] = message.date
    mail["Message-ID"] = f"<{message.message_id}>"
    mail["References"] = f"<{message.thread_id}>"
    mail["Auto-Submitted"] = "auto-generated"  # stops vacation replies
    mail["X-Auto-Response-Suppress"] = "All"  # the same, for Exchange
    if message.urgent:
        mail["X-Priority"] = "1"
    if message.subject is None:
        _set_text_message(mail, message.text)
    else:
        mail.set_content(message.text)
    if message.html is not None:
        _add_html(mail, message, message.html)
    return mail.as_bytes()


def _undecodable(text: str) -> str:
    """Return the text with all broken up that looks like an encoded word (RFC 2047).

    Mail programs would decode it, and the library does, line breaks included (CVE-2024-6923).
    """
    return text.replace("=?", "= ?")


def _one_line(text: str) -> str:
    """Return the text. Raises ValueError for any line break; the library accepts one at the end."""
    if text.splitlines() not in ([], [text]):
        raise ValueError("a subject can't contain a linefeed or carriage return, nor any other line break")
    return text


def _set_text_message(mail: EmailMessage, text: str) -> None:
    """Set the text as unencoded ASCII, on one line: some gateways pass the mail's content on as it is.

    There, a text in quoted-printable reads `K=C3=BCche`, with a `=` at the end of each line, and one in base64 can't be
    read at all; others take ASCII alone (such as tm4bhelp.com/kb/a-160.php). `Kuche` can be read everywhere.
    """
    plain = text if text.isascii() else gsm7(anyascii(text))
    fits = all(len(line) <= LONGEST_PLAIN_LINE for line in plain.encode().splitlines())
    mail.set_content(plain, charset="us-ascii", cte="7bit" if fits else None)


def _add_html(mail: EmailMessage, message: Message, html: str) -> None:
    mail.add_alternative(html, subtype="html")
    part = mail.get_body(("html",))
    if message.picture and isinstance(part, EmailMessage):
        part.add_related(
            message.picture.content,
            maintype="image",
            subtype=message.picture.subtype,
            cid=f"<{PICTURE_ID}>",
            filename=f"picture.{message.picture.subtype}",
            disposition="inline",
        )


def _address(name: str, address: str) -> Address:
    """Return an address for a header. Raises ValueError for line breaks and non-ASCII characters."""
    address.encode("ascii")  # the library would encode it as a word, which no server accepts in an address
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)
