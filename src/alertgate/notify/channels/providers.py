"""Which login the mail servers of well-known providers want, for those that refuse the one that people try first."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

What = TypeVar("What")


def of_provider(host: str, known: Mapping[str, What]) -> What | None:
    """Return what is known of the provider whose mail server this is, by the end of its name."""
    name = f".{host.lower().rstrip('.')}"
    return next((what for ending, what in known.items() if name.endswith(f".{ending}")), None)


APP_PASSWORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "smtp.gmail.com": ("Gmail", "https://myaccount.google.com/apppasswords, with 2-step verification"),
        "smtp.googlemail.com": ("Gmail", "https://myaccount.google.com/apppasswords, with 2-step verification"),
        "mail.me.com": ("iCloud", "https://account.apple.com"),
        "mail.yahoo.com": ("Yahoo", "https://login.yahoo.com/account/security"),
        "aol.com": ("AOL", "https://login.aol.com/account/security"),
        "fastmail.com": ("Fastmail", "https://app.fastmail.com/settings/security"),
        "zoho.com": ("Zoho", "https://accounts.zoho.com/home, Security"),
        "zoho.eu": ("Zoho", "https://accounts.zoho.eu/home, Security"),
        "yandex.com": ("Yandex", "https://id.yandex.com/security/app-passwords"),
        "mail.gmx.net": ("GMX", "the account's security settings; and switch on POP3/IMAP access there"),
        "mail.gmx.com": ("GMX", "the account's security settings; and switch on POP3/IMAP access there"),
        "smtp.web.de": ("WEB.DE", "the account's security settings; and switch on POP3/IMAP access there"),
    }
)
"""Providers that take no account password, or not with two-step verification, and where app passwords are made."""

SERVICE_LOGINS: Mapping[str, str] = MappingProxyType(
    {
        "amazonaws.com": "Amazon SES wants its SMTP credentials (SES console, SMTP settings), not AWS access keys",
        "sendgrid.net": "for SendGrid SMTP_USERNAME is the word apikey, and SMTP_PASSWORD an API key",
        "mailgun.org": "for Mailgun use the domain's SMTP credentials (Sending, Domain settings), not the account's",
        "postmarkapp.com": "for Postmark SMTP_USERNAME and SMTP_PASSWORD are both the server's API token",
        "brevo.com": "for Brevo SMTP_PASSWORD is an SMTP key (SMTP & API), not the account's password or an API key",
        "mailjet.com": "for Mailjet SMTP_USERNAME is the API key, and SMTP_PASSWORD the secret key",
        "resend.com": "for Resend SMTP_USERNAME is the word resend, and SMTP_PASSWORD an API key",
        "sparkpostmail.com": "for SparkPost SMTP_USERNAME is SMTP_Injection, and SMTP_PASSWORD an API key",
    }
)
"""Services that send mail for programs, and which login they want."""

HOSTS = frozenset(
    {
        *("smtp.gmail.com", "smtp.googlemail.com", "smtp-relay.gmail.com", "smtp.mail.me.com", "smtp.mail.yahoo.com"),
        *("smtp.aol.com", "smtp.fastmail.com", "smtp.zoho.com", "smtp.zoho.eu", "smtp.yandex.com", "mail.gmx.net"),
        *("mail.gmx.com", "smtp.web.de", "smtp.office365.com", "smtp-mail.outlook.com", "smtp.sendgrid.net"),
        *("smtp.mailgun.org", "smtp.eu.mailgun.org", "smtp.postmarkapp.com", "smtp-relay.brevo.com"),
        *("in-v3.mailjet.com", "smtp.resend.com", "smtp.sparkpostmail.com"),
    }
)
"""Mail servers that exist: if the name of one isn't found, the name isn't what is wrong."""
