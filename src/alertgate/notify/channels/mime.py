"""A Message as the mail that carries it (RFC 5322; RFC 3834 for Auto-Submitted)."""

from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from alertgate.notify.channels.base import PICTURE_ID, Message


class _Headers(HeaderRegistry):
    """The standard headers, whose classes are made once: the library makes them anew for each header that is set."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return the class for a header's name."""
        name = name.lower()
        if name not in self._made:
            self._made[name] = super().__getitem__(name)
        return self._made[name]


_POLICY = SMTP.clone(header_factory=_Headers())


def compose(message: Message, sender: str) -> EmailMessage:
    """Return the mail for a message.

    Headers can't be broken out of: the library refuses line breaks in them, and what looks like an encoded word
    (RFC 2047), which it would decode, line breaks and all (CVE-2024-6923), is taken apart.
    """
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = _address("alertgate", sender)
    mail["To"] = _address("", message.to)
    if message.subject is not None:
        mail["Subject"] = message.subject.replace("=?", "= ?")
    mail["Date"] = message.date
    mail["Message-ID"] = f"<{message.message_id}>"
    mail["References"] = f"<{message.thread_id}>"
    mail["Auto-Submitted"] = "auto-generated"  # stops vacation replies
    mail["X-Auto-Response-Suppress"] = "All"  # the same, for Exchange
    if message.urgent:
        mail["X-Priority"] = "1"
    mail.set_content(message.text)
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html")
        if message.picture:
            html = mail.get_body(("html",))
            if isinstance(html, EmailMessage):
                html.add_related(
                    message.picture.content,
                    maintype="image",
                    subtype=message.picture.subtype,
                    cid=f"<{PICTURE_ID}>",
                    filename=f"picture.{message.picture.subtype}",
                )
    return mail


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)
