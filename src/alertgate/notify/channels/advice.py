"""What to change if the mail server can't be used, or refuses something. Pure.

The outcome says what went wrong in the library's, OpenSSL's or the server's words; together with the settings it shows
which mistake was made. The sentences hold no addresses and no secrets, so they may be logged.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from types import MappingProxyType

from alertgate.config import Settings
from alertgate.container import in_container
from alertgate.notify.channels.base import Outcome, Reason, Sent
from alertgate.notify.channels.providers import APP_PASSWORDS, HOSTS, SERVICE_LOGINS, of_provider


class Mistake(StrEnum):
    """A mistake that the settings and the failure show more exactly than the failure's reason."""

    NOTHING_LISTENS = "nothing_listens"
    NO_SUCH_HOST = "no_such_host"
    NO_DNS = "no_dns"
    NO_ROUTE = "no_route"
    NO_ANSWER = "no_answer"  # the connection itself isn't answered
    NO_MAIL_SERVER = "no_mail_server"  # something else listens there
    SAYS_NOTHING = "says_nothing"  # the connection is taken, and no greeting comes
    TLS_EXPECTED = "tls_expected"  # the same, at the port where TLS comes first
    PLAIN_EXPECTED = "plain_expected"  # TLS first, where the server begins unencrypted
    NO_STARTTLS = "no_starttls"
    PLAIN_HERE = "plain_here"  # either of these two, on this machine
    OLD_TLS = "old_tls"
    UNKNOWN_AUTHORITY = "unknown_authority"
    OTHER_AUTHORITY = "other_authority"  # the same, with SMTP_CA_FILE
    OTHER_NAME = "other_name"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    BADLY_MADE = "badly_made"
    NO_AUTH = "no_auth"
    NO_AUTH_UNENCRYPTED = "no_auth_unencrypted"
    NO_XOAUTH2 = "no_xoauth2"
    NO_PASSWORDS = "no_passwords"
    NO_KNOWN_LOGIN = "no_known_login"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"  # the account may only be used from some addresses
    LOGIN_WANTED = "login_wanted"
    APP_PASSWORD = "app_password"  # noqa: S105  (no password)
    SERVICE_LOGIN = "service_login"  # a sending service's login isn't that of its account
    PASSWORDS_OFF = "passwords_off"
    OAUTH = "oauth"  # no access token, or the mail server refuses it


def advice(settings: Settings, outcome: Outcome) -> str | None:
    """Return what went wrong and what to change, as one sentence; None if nothing went wrong."""
    if isinstance(outcome, Sent):
        return None
    mistake = find_mistake(settings, outcome)
    sentence = _MISTAKES[mistake] if mistake else _REASONS[outcome.reason]
    host = settings.mail_host or "the mail server"
    provider, page = of_provider(host, APP_PASSWORDS) or ("the provider", "its pages")
    is_here = on_this_machine(host)
    return sentence.format(
        host=host,
        server=f"{host}:{settings.mail_port}",
        port=settings.mail_port,
        security=settings.smtp_security,
        provider=provider,
        page=page,
        login=of_provider(host, SERVICE_LOGINS),
        here="; in a container, as here, that is the container itself" if is_here and in_container() else "",
        instead=_NOT_ENCRYPTED_HERE if is_here else "",
    )


def find_mistake(settings: Settings, outcome: Outcome) -> Mistake | None:
    """Return the mistake that the settings and a failure show, or None."""
    if _REPLY.match(outcome.reply):
        return _in_login(settings, outcome)
    said = next((mistake for mistake, sign in _SIGNS.items() if sign.search(outcome.reply)), None)
    return _with_settings(settings, said) if said else None


def _with_settings(settings: Settings, said: Mistake) -> Mistake:
    """Return what a mistake that a failure's words show is with these settings."""
    host = (settings.mail_host or "").lower().rstrip(".")
    if said is Mistake.SAYS_NOTHING and settings.mail_port == TLS_PORT:
        return Mistake.TLS_EXPECTED
    if said is Mistake.UNKNOWN_AUTHORITY and settings.smtp_ca_file:
        return Mistake.OTHER_AUTHORITY
    if said is Mistake.NO_SUCH_HOST and host in HOSTS:
        return Mistake.NO_DNS
    if said in _NEEDLESS_HERE and on_this_machine(host):
        return Mistake.PLAIN_HERE
    if said is Mistake.NO_AUTH and settings.smtp_security == "none":
        return Mistake.NO_AUTH_UNENCRYPTED
    return said


def restates(settings: Settings, outcome: Outcome) -> bool:
    """Return whether the advice says all that the failure's own words do, which then needn't stand beside it."""
    return not _REPLY.match(outcome.reply) and find_mistake(settings, outcome) in _RESTATED


def doubtful_port(settings: Settings) -> str | None:
    """Return what to change if the port is the usual one of another SMTP_SECURITY, or None."""
    tls = settings.smtp_security == "tls"
    if settings.mail_port == TLS_PORT and not tls:
        mistake = Mistake.TLS_EXPECTED
    elif settings.mail_port in (25, 587) and tls:
        mistake = Mistake.PLAIN_EXPECTED
    else:
        return None
    server = f"port {settings.mail_port}"
    known = {"server": server, "port": settings.mail_port, "security": settings.smtp_security}
    return _MISTAKES[mistake].format(**known)


def on_this_machine(host: str) -> bool:
    """Return whether a mail server's name or address is that of this machine itself."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def doubtful_password(settings: Settings) -> str | None:
    """Return what to change if the password can't be the app password that Gmail takes, or None."""
    if (settings.mail_host or "").lower() != "smtp.gmail.com" or settings.mail_password is None:
        return None
    if re.fullmatch("[a-z]{16}", settings.mail_password):
        return None
    return "isn't an app password, which has 16 letters, and Gmail takes no other: https://myaccount.google.com/apppasswords"


def _in_login(settings: Settings, outcome: Outcome) -> Mistake | None:
    """Return the mistake that a reply shows, which nearly always is about the login."""
    if _PASSWORDS_OFF.search(outcome.reply):
        return Mistake.PASSWORDS_OFF
    if outcome.reason is Reason.HOST_REFUSED and _NOT_ALLOWED.search(outcome.reply):
        return Mistake.ADDRESS_NOT_ALLOWED
    return _in_credentials(settings) if outcome.reason is Reason.CREDENTIALS else None


def _in_credentials(settings: Settings) -> Mistake | None:
    if settings.mail_user is None:
        return Mistake.LOGIN_WANTED
    if settings.mail_password is None:
        return Mistake.OAUTH
    host = settings.mail_host or ""
    if of_provider(host, SERVICE_LOGINS):
        return Mistake.SERVICE_LOGIN
    return Mistake.APP_PASSWORD if of_provider(host, APP_PASSWORDS) else None


TLS_PORT = 465
"""The port where TLS comes first (RFC 8314, 7.3)."""
_REPLY = re.compile(r"[245]\d\d ")
_PASSWORDS_OFF = re.compile(r"5\.7\.139|basic auth\w* is disabled|smtpclientauthentication is disabled", re.IGNORECASE)
_NOT_ALLOWED = re.compile(
    r"unauthori[sz]ed (?:\w+ )?ip\b|\bip\b.{0,40}(?:unauthori[sz]ed|not (?:\w+ )?(?:in|on) (?:\w+ )?(?:white|allow)"
    r"|not (?:allowed|authori[sz]ed|permitted) to (?:log|auth|use|access))",
    re.IGNORECASE,
)


def _sign(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


_SIGNS: Mapping[Mistake, re.Pattern[str]] = MappingProxyType(
    {
        Mistake.OAUTH: _sign("^smtp_oauth"),
        Mistake.NO_STARTTLS: _sign("starttls extension not supported", "offers no starttls"),
        Mistake.NO_AUTH: _sign("auth extension is not supported", r"offers no login \(auth\)"),
        Mistake.NO_XOAUTH2: _sign("^the server offers .* no xoauth2"),
        Mistake.NO_PASSWORDS: _sign("^the server offers .* takes no password"),
        Mistake.NO_KNOWN_LOGIN: _sign("^the server offers the logins"),
        Mistake.NO_MAIL_SERVER: _sign("malformed smtp response", "no(t an answer of a)? mail server", "speak smtp"),
        Mistake.PLAIN_EXPECTED: _sign(
            "wrong.version.number", "record.layer.failure", "packet.length.too.long", "unknown.protocol"
        ),
        Mistake.OTHER_NAME: _sign("(hostname|ip address) mismatch", "certificate is not valid for"),
        Mistake.NOT_YET_VALID: _sign("not yet valid"),
        Mistake.EXPIRED: _sign("certificate has expired"),
        Mistake.UNKNOWN_AUTHORITY: _sign(
            "self.signed certificate", "unable to get (local )?issuer", "unable to verify the first certificate"
        ),
        Mistake.BADLY_MADE: _sign("key usage", "key identifier", "basic constraints", "invalid ca certificate"),
        Mistake.OLD_TLS: _sign(
            *("unsupported.protocol", "no.protocols.available", "protocol.version", "no.ciphers", "no.shared.cipher"),
            *("handshake.failure", "(key|md|digest) too (small|weak|short)"),
        ),
        Mistake.NO_DNS: _sign("temporary failure in name resolution", "wasn't resolved"),
        Mistake.NO_SUCH_HOST: _sign(
            *("name or service not known", "no address associated", "nodename nor servname", "getaddrinfo failed"),
            *("can't be resolved", "label (empty|too long)", "idna"),
        ),
        Mistake.NO_ROUTE: _sign("network is unreachable", "no route to host", "host is (down|unreachable)"),
        Mistake.NOTHING_LISTENS: _sign("connection refused", r"\[errno (111|61)\]"),
        Mistake.NO_ANSWER: _sign("timed out connecting", "no answer from", r"\[errno 110\]"),
        Mistake.SAYS_NOTHING: _sign(
            *("waiting for server ready", "no answer in time", "error connecting.*(eof|connection lost|reset)"),
            "closed the connection",
        ),
    }
)
"""The words of aiosmtplib, OpenSSL, the system and alertgate, the more exact ones first."""

_MISTAKES: Mapping[Mistake, str] = MappingProxyType(
    {
        Mistake.NOTHING_LISTENS: "nothing listens at {server}: check SMTP_HOST and SMTP_PORT{here}",
        Mistake.NO_SUCH_HOST: "there is no host with the name {host}: check SMTP_HOST",
        Mistake.NO_DNS: "the name {host} can't be looked up now: check this machine's network and its DNS",
        Mistake.NO_ROUTE: "this machine has no way to {server}: check its network, and SMTP_HOST",
        Mistake.NO_ANSWER: "{server} doesn't answer: a firewall drops the connection (many providers block outgoing "
        "port 25), or SMTP_HOST or SMTP_PORT is wrong",
        Mistake.NO_MAIL_SERVER: "what listens at {server} isn't a mail server: check SMTP_HOST and SMTP_PORT",
        Mistake.SAYS_NOTHING: "{server} takes the connection and doesn't greet: if it expects TLS from the first byte,"
        " set SMTP_SECURITY=tls; else check SMTP_HOST and SMTP_PORT",
        Mistake.TLS_EXPECTED: "port {port} expects TLS from the first byte, so with SMTP_SECURITY={security} both "
        "sides wait: set SMTP_SECURITY=tls, or use port 587 with SMTP_SECURITY=starttls",
        Mistake.PLAIN_EXPECTED: "{server} begins without encryption, which SMTP_SECURITY=tls doesn't: set "
        "SMTP_SECURITY=starttls, or SMTP_PORT=465 for tls",
        Mistake.NO_STARTTLS: "{server} offers no STARTTLS, and nothing is sent unencrypted: set SMTP_SECURITY=tls and "
        "SMTP_PORT=465 if the server has that, or SMTP_SECURITY=none for one in a network of yours",
        Mistake.PLAIN_HERE: "{server} doesn't offer the encryption of SMTP_SECURITY={security}: on this machine "
        "SMTP_SECURITY=none, which is safe here; or check SMTP_PORT",
        Mistake.OLD_TLS: "the server and this machine have no version or cipher of TLS in common: update the server",
        Mistake.UNKNOWN_AUTHORITY: "this machine trusts no authority of the server's certificate: if the server is "
        "yours, set SMTP_CA_FILE to its authority's certificate, or to its own if it has none{instead}",
        Mistake.OTHER_AUTHORITY: "the server's certificate isn't of the authority in SMTP_CA_FILE, nor of one that "
        "this machine trusts: put the certificate of the authority that issued it into SMTP_CA_FILE (PEM)",
        Mistake.OTHER_NAME: "the server's certificate is for other names than {host}: set SMTP_HOST to a name that it "
        "has, or have one made for {host}{instead}",
        Mistake.EXPIRED: "the server's certificate has expired: it must be renewed there; if it was, check this "
        "machine's clock",
        Mistake.NOT_YET_VALID: "the server's certificate isn't valid yet: check this machine's clock",
        Mistake.BADLY_MADE: "the server's certificate, or its authority's, lacks what RFC 5280 demands: make them "
        "anew, the authority's with keyUsage=critical,keyCertSign,cRLSign",
        Mistake.NO_AUTH: "{server} offers no login (AUTH), but SMTP_PASSWORD is set: unset it if the server needs no "
        "login, else use its port for senders, 587 or 465",
        Mistake.NO_AUTH_UNENCRYPTED: "{server} offers no login (AUTH) without encryption, but SMTP_PASSWORD is set: "
        "set SMTP_SECURITY=starttls, or unset SMTP_PASSWORD if the server needs no login",
        Mistake.NO_XOAUTH2: "{server} offers no login by OAuth (XOAUTH2): set SMTP_PASSWORD in place of "
        "SMTP_OAUTH_..., or check SMTP_HOST and SMTP_PORT",
        Mistake.NO_PASSWORDS: "{server} takes no password: log in by OAuth (SMTP_OAUTH_..., docs/mail.md), or use "
        "another mail server",
        Mistake.NO_KNOWN_LOGIN: "{server} offers no login that alertgate knows (PLAIN, LOGIN, CRAM-MD5, "
        "XOAUTH2): have one of them enabled there, or use another mail server; if it needs no login, unset "
        "SMTP_PASSWORD",
        Mistake.ADDRESS_NOT_ALLOWED: "the account may not be used from this machine's address: have the provider "
        "allow the one that it has on the internet, or take that limit off",
        Mistake.LOGIN_WANTED: "the server wants a login: set SMTP_PASSWORD, and SMTP_USERNAME where that isn't "
        "SMTP_EMAIL",
        Mistake.APP_PASSWORD: "for {provider} use an app password, not the account's own: create one ({page}), and "
        "set SMTP_PASSWORD to it",
        Mistake.SERVICE_LOGIN: "the server refuses the login: {login}",
        Mistake.PASSWORDS_OFF: "logins by password are switched off for this account: have SMTP AUTH switched on for "
        "the mailbox, log in by OAuth (docs/mail.md), or use another mail server",
        Mistake.OAUTH: "the login by OAuth fails: check the settings SMTP_OAUTH_... (docs/mail.md)",
    }
)

_RESTATED = frozenset(
    {
        *(Mistake.NOTHING_LISTENS, Mistake.NO_SUCH_HOST, Mistake.NO_DNS, Mistake.NO_ROUTE, Mistake.NO_ANSWER),
        *(Mistake.SAYS_NOTHING, Mistake.TLS_EXPECTED, Mistake.NO_STARTTLS, Mistake.NO_AUTH),
        *(Mistake.NO_AUTH_UNENCRYPTED, Mistake.NO_KNOWN_LOGIN, Mistake.PLAIN_EXPECTED, Mistake.PLAIN_HERE),
        *(Mistake.EXPIRED, Mistake.NOT_YET_VALID, Mistake.UNKNOWN_AUTHORITY, Mistake.OTHER_AUTHORITY),
    }
)
"""Mistakes that are found by the system's or alertgate's own words, which say no more than that."""
_NEEDLESS_HERE = frozenset({Mistake.NO_STARTTLS, Mistake.PLAIN_EXPECTED})
_NOT_ENCRYPTED_HERE = "; on this machine SMTP_SECURITY=none does too"
_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "credentials": "the server refuses the login: check SMTP_USERNAME (unset, it is SMTP_EMAIL) and SMTP_PASSWORD",
        "too_many_logins": "the server has seen too many logins: wait a while before the next check",
        "try_later": "the server asks to come back later: wait; if it lasts, ask who runs the server",
        "daily_limit": "the account has sent what it may send in a day: wait, or use one that may send more",
        "sender_refused": "the server doesn't take SMTP_EMAIL as the sender: use an address that belongs to the login,"
        " or have this one verified or allowed by the provider",
        "relay_refused": "the server passes no mail on for alertgate: set SMTP_PASSWORD if it wants a login, else have"
        " it allow this machine's address",
        "host_refused": "the server refuses this machine's name or address: set SMTP_HELO_NAME to its full name, and "
        "see that the address has reverse DNS and is on no block list",
        "unclear": "the server refuses without a clear reason: check SMTP_EMAIL and the login, and ask who runs the "
        "server",
        "recipient_busy": "the server won't take it now, as when it makes unknown senders wait (greylisting); "
        "if it lasts, ask who runs the server",
        "mailbox_full": "the mailbox is full: its owner must make room",
        "no_such_recipient": "there is no such mailbox: correct the address in RECIPIENT_EMAIL or RECIPIENT_SMS, or "
        "remove it",
        "too_large": "the server takes no message of this size",
        "policy": "a rule of the server refuses it, which its words may name: check SMTP_EMAIL, and ask who runs the "
        "server",
        "unreachable": "nobody could be reached there just now",
        "format": "the server can't read the message: this is a defect in alertgate, please report it, with the log",
        "refused": "the server refuses this recipient: correct the address in RECIPIENT_EMAIL or RECIPIENT_SMS, or ask "
        "who runs the server",
        "connection": "the connection can't be made, or broke: check the network; if it lasts, SMTP_HOST and SMTP_PORT",
        "tls": "the connection can't be encrypted: check SMTP_SECURITY and SMTP_PORT, and the server's certificate",
        "timeout": "the server stopped answering: if it lasts, raise SMTP_TIMEOUT, or ask who runs the server",
        "storage": "DATA_DIR can't be written: check its owner, its mode and the room on its disk",
        "internal": "this is a defect in alertgate: please report it, with the log",
    }
)
"""What each reason means where no mistake explains it better; by its word, so that a reason may be new."""
