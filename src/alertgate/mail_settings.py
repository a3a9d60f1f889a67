"""The settings of recipients and of the mail server."""

import ssl
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from alertgate.setting_types import (
    Address,
    Addresses,
    AnyCase,
    Credential,
    HeloName,
    MailHost,
    Password,
    Seconds,
    SenderName,
    Texts,
    TokenUrl,
    without_blanks,
)


class MailSettings(BaseSettings):
    """Who is told by mail, and over which server. A part of `Settings`."""

    recipient_email: Addresses = Field(
        (),
        repr=False,
        description="Recipients of mails, comma-separated. An address at a known SMS gateway gets a text message.",
    )
    recipient_sms: Addresses = Field(
        (),
        repr=False,
        description="Recipients of text messages, comma-separated: addresses at an email-to-SMS gateway, known or not.",
    )
    recipient_push: Texts = Field(
        (),
        repr=False,
        description="Recipients by other channels, comma-separated, as `alertgate.toml` writes contacts: "
        "`ntfy:alarm-x7Kq` (docs/phones.md).",
    )

    # Mail
    smtp_host: MailHost | None = Field(
        None,
        description="Mail server, as a host name or address. Unset: `smtp.gmail.com` if `SMTP_EMAIL` is set, else "
        "messages are written to the outbox, a Maildir under `DATA_DIR`.",
    )
    smtp_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of the mail server. Unset: 587 for `starttls`, 465 for `tls`, 25 for `none`.",
    )
    smtp_security: Annotated[Literal["starttls", "tls", "none"], AnyCase] = Field(
        "starttls", description="Encryption: `starttls`, `tls` or `none`. Never falls back to plain text."
    )
    smtp_username: str | None = Field(None, repr=False, description="User name of the login. Unset: `SMTP_EMAIL`.")
    smtp_email: Address | None = Field(None, repr=False, description="Sender address of mails.")
    smtp_from_name: SenderName = Field("alertgate", description="Name that mails show as their sender.")
    smtp_password: Password | None = Field(
        None,
        description="Password of the login; for Gmail an app password, with or without its spaces. Unset: no login.",
    )
    smtp_oauth_client_id: str | None = Field(
        None,
        description="Client id of the login by OAuth (XOAUTH2) in place of `SMTP_PASSWORD`: docs/mail.md.",
    )
    smtp_oauth_client_secret: Credential | None = Field(
        None, description="Client secret of the login by OAuth. Unset: the client is a public one, which has none."
    )
    smtp_oauth_refresh_token: Credential | None = Field(
        None, description="Refresh token of the login by OAuth. Access tokens are fetched with it and kept in memory."
    )
    smtp_oauth_token_url: TokenUrl | None = Field(
        None,
        description="Token endpoint of the login by OAuth, such as `https://oauth2.googleapis.com/token`.",
    )
    smtp_oauth_scope: str | None = Field(
        None, description="Scope to ask the token endpoint for. Unset: that of the refresh token."
    )
    smtp_helo_name: HeloName | None = Field(
        None,
        description="Name that EHLO says to the mail server: a host name with a dot, or an address in brackets. "
        "Unset: this machine's own name if it has a dot, else the domain of `SMTP_EMAIL`.",
    )
    smtp_ca_file: Path | None = Field(
        None,
        description="PEM file of a certificate authority to trust besides the system's, for a private mail server. It "
        "must have the extension `keyUsage`: docs/mail.md.",
    )
    smtp_connections: int = Field(2, ge=1, le=20, description="Maximum number of connections to the mail server.")
    smtp_timeout: Seconds = Field(20.0, le=40, description="Seconds to wait for each reply of the mail server.")

    smtp_daily_limit: int = Field(
        500,
        ge=0,
        description="Messages that the mail account may send in 24 hours, mails and text messages together. From "
        "80 % on, what isn't critical is sent as digests; from 90 % on, only what is critical; at the limit, nothing "
        "until there is room again. 0: no limit.",
    )

    @property
    def mail_host(self) -> str | None:
        """The mail server, or None if messages are written to the outbox."""
        return self.smtp_host or ("smtp.gmail.com" if self.smtp_email else None)

    @property
    def mail_port(self) -> int:
        """The mail server's port."""
        return self.smtp_port or {"starttls": 587, "tls": 465, "none": 25}[self.smtp_security]

    @property
    def mail_password(self) -> str | None:
        """The password, without the spaces that Gmail shows in an app password, which may be no-break spaces."""
        if self.smtp_password is None:
            return None
        text = self.smtp_password.get_secret_value()
        return without_blanks(text) if (self.mail_host or "").lower() == "smtp.gmail.com" else text

    @property
    def mail_from(self) -> str:
        """The sender's address."""
        return self.smtp_email or "alertgate@localhost"

    @property
    def mail_user(self) -> str | None:
        """The user name of the login, or None if there is no login."""
        has_login = self.smtp_password or self.smtp_oauth_refresh_token
        return (self.smtp_username or self.smtp_email) if has_login else None

    def login_problems(self) -> list[str]:
        """Return the problems of settings for the login that don't fit together."""
        needed = ("smtp_oauth_client_id", "smtp_oauth_refresh_token", "smtp_oauth_token_url")
        given = [name for name in (*needed, "smtp_oauth_client_secret", "smtp_oauth_scope") if getattr(self, name)]
        if not given:
            return []
        first = given[0].upper()
        problems = []
        if others := " and ".join(name.upper() for name in needed if name not in given):
            problems.append(f"{first} is set, but a login by OAuth needs {others} too: see docs/mail.md")
        if self.smtp_password:
            problems.append(
                f"SMTP_PASSWORD and {first} are both set: remove SMTP_PASSWORD to log in by OAuth, or all of "
                "SMTP_OAUTH_... to log in with the password"
            )
        return problems

    def authority_problem(self) -> str | None:
        """Return what is wrong with SMTP_CA_FILE, or None. Reads the file."""
        if self.smtp_ca_file is None:
            return None
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=self.smtp_ca_file)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return f"SMTP_CA_FILE {self.smtp_ca_file} is not a file: correct the path"
        except ssl.SSLError:
            return (
                f"SMTP_CA_FILE {self.smtp_ca_file} holds no certificate in PEM form, or one that is cut off: give "
                "it the authority's, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"
            )
        except OSError as error:
            return f"SMTP_CA_FILE {self.smtp_ca_file} can't be read ({error.strerror}): let this user read it"
        return None
