"""Which certificates of a mail server are trusted, and what to do about one that isn't."""

import ssl

from alertgate.config import Settings
from alertgate.notify.channels.base import AttemptFailed, Reason, Transient

_MADE_WRONG = range(80, 95)
"""OpenSSL's codes (x509_vfy.h) for certificates without what RFC 5280 demands, which VERIFY_X509_STRICT checks."""
_ADVICE = {
    9: "it isn't valid yet: check this machine's clock",
    10: "the mail server needs a new certificate",
    18: "if it's your own mail server, give SMTP_CA_FILE its certificate",
    19: "if it's your own authority, give SMTP_CA_FILE its certificate",
    20: "if it's your own authority, give SMTP_CA_FILE its certificate",
    21: "if it's your own authority, give SMTP_CA_FILE its certificate",
    62: "SMTP_HOST must be a name that the certificate has",
    92: "your authority needs a new certificate, made with -addext keyUsage=critical,keyCertSign,cRLSign by "
    "`openssl req -x509`, for SMTP_CA_FILE and the mail server (docs/mail.md)",
}
"""What to do, by OpenSSL's code."""


def mail_context(settings: Settings) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and SMTP_CA_FILE. Reads files. Raises AttemptFailed."""
    context = ssl.create_default_context()
    # Python 3.13 sets these by itself. Set here, every Python gives the same verdict (docs/adr/0018).
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    if problem := settings.authority_problem():
        raise AttemptFailed(Transient(Reason.TLS, problem))
    if settings.smtp_ca_file:
        context.load_verify_locations(cafile=settings.smtp_ca_file)
    return context


def explain(error: ssl.SSLError) -> str:
    """Return what went wrong, and what to do about it if that is known."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return str(error)
    made_wrong = "it was made without what RFC 5280 demands: make it anew (docs/mail.md)"
    advice = _ADVICE.get(error.verify_code, made_wrong if error.verify_code in _MADE_WRONG else None)
    refused = f"the certificate is refused: {error.verify_message}"
    return f"{refused}; {advice}" if advice else refused


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Return the TLS error behind an error of httpx, or None."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
