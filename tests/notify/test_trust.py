"""Which certificates of a mail server are trusted, with authorities as people make them with openssl."""

import asyncio
import ssl
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trustme
from aiosmtplib import SMTP
from tools.settings_table import ROOT

from alertgate.notify.channels.base import Level, Reason, Transient
from alertgate.notify.channels.registry import targets
from alertgate.notify.channels.smtp import MailServer, check
from tests.fakes import mail_sink

KEY = ("-newkey", "rsa:2048", "-nodes", "-days", "30")


def _openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def private_server(directory: Path) -> ssl.SSLContext:
    """Make ca.pem by a plain `openssl req -x509`, and a server's context with a certificate of that authority."""
    _openssl(directory, "req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Home")
    _openssl(directory, "req", *KEY[:3], "-keyout", "mail.key", "-out", "mail.csr", "-subj", "/CN=localhost")
    (directory / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "names")
    _openssl(directory, "x509", "-req", "-in", "mail.csr", "-out", "mail.pem", *signing)
    return server_context(directory / "mail.pem", directory / "mail.key")


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def checked(make_settings, tls: ssl.SSLContext, security: str = "starttls", **changes):
    """Return how connecting to a server with this certificate fails, or None, and what `check` finds first."""
    async with mail_sink(tls=tls, wrapped=security == "tls") as sink:
        mail = {"smtp_host": "localhost", "smtp_email": "a@example.net", "recipient_email": "m@example.net", **changes}
        settings = make_settings(smtp_port=sink.port, smtp_security=security, **mail)
        failure = await MailServer(settings).lend(SMTP.noop)
        return failure, (await check(settings, targets(settings)))[0]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_plain_authority_is_refused_with_its_remedy_on_every_python(make_settings, tmp_path, security):
    """`openssl req -x509` writes no key usage unless asked to; Python 3.13 alone would refuse that."""
    tls = private_server(tmp_path)
    outcome, finding = await checked(make_settings, tls, security, smtp_ca_file=tmp_path / "ca.pem")
    assert isinstance(outcome, Transient)
    assert outcome.reason is Reason.TLS
    assert "CA cert does not include key usage extension" in outcome.reply
    assert "-addext keyUsage=critical,keyCertSign,cRLSign" in outcome.reply
    assert "docs/mail.md" in outcome.reply
    assert finding.level is Level.FAIL
    assert finding.text.endswith(f"(tls: {outcome.reply})")


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_authority_made_as_the_documentation_says_is_trusted(make_settings, tmp_path, security):
    """The commands of docs/mail.md, to which the refusal leads, work as they stand."""
    chapter = (ROOT / "docs" / "mail.md").read_text(encoding="utf-8").split("## A certificate of your own")[1]
    commands = chapter.split("```")[1].replace("mail.home.arpa", "localhost")
    run = partial(subprocess.run, cwd=tmp_path, check=True, capture_output=True)
    await asyncio.to_thread(run, ["sh", "-euc", commands])
    tls = server_context(tmp_path / "mail.pem", tmp_path / "mail.key")
    failure, finding = await checked(make_settings, tls, security, smtp_ca_file=tmp_path / "ca.pem")
    assert (failure, finding.level) == (None, Level.OK)


async def test_a_certificate_that_signed_itself_may_be_its_own_authority(make_settings, tmp_path):
    """A mail server at home often has one certificate and no authority."""
    own = ("-addext", "subjectAltName=DNS:localhost")
    _openssl(tmp_path, "req", "-x509", *KEY, "-keyout", "key", "-out", "cert", "-subj", "/CN=localhost", *own)
    tls = server_context(tmp_path / "cert", tmp_path / "key")
    trusted, _ = await checked(make_settings, tls, smtp_ca_file=tmp_path / "cert")
    assert trusted is None
    unknown, _ = await checked(make_settings, tls)
    assert (unknown.reason, "give SMTP_CA_FILE its certificate" in unknown.reply) == (Reason.TLS, True)


async def test_an_intermediate_authority_is_trusted_by_itself(make_settings, tmp_path):
    """Python 3.13 alone would take it; here every one does."""
    intermediate = trustme.CA().create_child_ca()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    intermediate.issue_cert("localhost").configure_cert(tls)
    intermediate.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    failure, _ = await checked(make_settings, tls, smtp_ca_file=tmp_path / "ca.pem")
    assert failure is None


async def test_each_refused_certificate_says_what_to_do(make_settings, authority: trustme.CA, authority_file):
    """Another name, and an authority that isn't known."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("mail.example.org").configure_cert(tls)
    other_name, _ = await checked(make_settings, tls, smtp_ca_file=authority_file)
    assert other_name.reply.endswith("; SMTP_HOST must be a name that the certificate has")
    unknown, _ = await checked(make_settings, tls)
    assert unknown.reply.endswith("; if it's your own authority, give SMTP_CA_FILE its certificate")
