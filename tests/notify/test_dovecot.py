"""Logins at a real submission server: Dovecot, which passes the mails on to the tests' own server."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from alertgate.notify.channels.base import Outcome, Reason, Sent
from alertgate.notify.channels.smtp import MailServer
from tests.fakes import LATER, until
from tests.mail_script import scripted_server, speaking, token_endpoint

MAIL = b"Subject: x\r\n\r\nx\r\n"
SHARED = """
base_dir = {directory}/run
state_dir = {directory}/run
log_path = {directory}/log
protocols = submission
ssl = no
auth_verbose = yes
auth_failure_delay = 0 secs
auth_mechanisms = {mechanisms}
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
service submission-login {{
  inet_listener submission {{
    {listen} = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""
OLD = (
    SHARED
    + """
disable_plaintext_auth = no
mail_location = maildir:{directory}/home/mail
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {directory}/oauth.conf
}}
passdb {{
  driver = static
  mechanisms = plain login cram-md5
  args = password=right
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={directory}/home
}}
"""
)
"""For Dovecot 2.3, as in Debian 12."""
NEW = (
    """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
"""
    + SHARED
    + """
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = {directory}/home/mail
oauth2 {{
  tokeninfo_url = http://127.0.0.1:{tokens}/?token=
  introspection_mode = auth
  username_attribute = email
}}
passdb oauth2 {{
  mechanisms_filter = xoauth2
}}
passdb static {{
  mechanisms_filter = plain login cram-md5
  password = right
}}
userdb static {{
  fields {{
    uid = 65534
    gid = 65534
    home = {directory}/home
  }}
}}
"""
)
"""For Dovecot 2.4, as in Debian 13: its settings have other names and forms."""
FORMS = {"2.3": (OLD, "address"), "2.4": (NEW, "listen")}


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory into which Dovecot's unprivileged processes may look, as they may not into pytest's."""
    if not shutil.which("dovecot") or os.geteuid() != 0:
        pytest.skip("needs root and Dovecot (apt-get install dovecot-core dovecot-submissiond)")
    with TemporaryDirectory(prefix="alertgate-dovecot-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _version() -> str:
    said = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, check=True).stdout
    return ".".join(said.split(".")[:2])


def _free_port() -> int:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


@asynccontextmanager
async def dovecot(directory: Path, mechanisms: str, relay: int, tokens: int = 1) -> AsyncIterator[int]:
    """Run Dovecot in the foreground, with everything of it in a directory; `tokens` is the port that judges tokens."""
    home = directory / "home"
    home.mkdir()
    home.chmod(0o777)
    port = _free_port()
    (directory / "oauth.conf").write_text(
        f"tokeninfo_url = http://127.0.0.1:{tokens}/?token=\nintrospection_mode = auth\nusername_attribute = email\n"
    )
    configuration = directory / "dovecot.conf"
    form, listen = FORMS[_version()]
    values = {"directory": directory, "mechanisms": mechanisms, "relay": relay, "tokens": tokens, "listen": listen}
    configuration.write_text(form.format(port=port, **values))
    process = await asyncio.create_subprocess_exec("dovecot", "-F", "-c", configuration)

    async def listens() -> bool:
        assert process.returncode is None, (directory / "log").read_text()
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        await until(listens)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def send(server: MailServer, number: int) -> set[tuple[type[Outcome], Reason]]:
    """Send so many mails at once; return their outcomes."""
    sending = (server.send_mail("gate@example.net", "me@example.com", MAIL, LATER) for _ in range(number))
    outcomes = await asyncio.gather(*sending)
    await server.close()
    return {(type(outcome), outcome.reason) for outcome in outcomes}


def settings_for(make_settings, port: int, **changes):
    """Settings for Dovecot."""
    mail = {"smtp_security": "none", "smtp_email": "gate@example.net", "recipient_email": "me@example.com", **changes}
    return make_settings(smtp_host="127.0.0.1", smtp_port=port, **mail)


@pytest.mark.parametrize("mechanisms", ["plain", "login", "cram-md5", "plain login cram-md5 xoauth2"])
async def test_dovecot_takes_the_password_and_refuses_a_wrong_one_once(make_settings, directory, mechanisms):
    """Its own log says how often it was asked."""
    async with scripted_server(auth="") as relay, dovecot(directory, mechanisms, relay.port) as port:
        good = await send(MailServer(settings_for(make_settings, port, smtp_password="right")), 3)
        assert (good, relay.mails) == ({(Sent, Reason.SENT)}, 3)
        [(_, reason)] = await send(MailServer(settings_for(make_settings, port, smtp_password="wrong")), 5)
        assert reason is Reason.CREDENTIALS
    log = (directory / "log").read_text()
    assert (log.count("Password mismatch"), log.count("auth failed, 1 attempts")) == (1, 1)


async def test_dovecot_takes_a_token_and_one_that_replaces_a_refused_one(make_settings, directory):
    """XOAUTH2 with its challenge, as an independent server speaks it."""
    good = {"token-1"}

    async def judge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        is_good = head.split("token=")[1].split()[0] in good
        body = json.dumps({"email": "gate@example.net"} if is_good else {"error": "invalid_token"})
        status = "200 OK" if is_good else "401 Unauthorized"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()

    oauth = {"smtp_oauth_client_id": "gate", "smtp_oauth_refresh_token": "refresh"}
    async with (
        scripted_server(auth="") as relay,
        speaking(judge) as tokens,
        token_endpoint() as endpoint,
        dovecot(directory, "plain xoauth2", relay.port, tokens) as port,
    ):
        settings = settings_for(make_settings, port, **oauth, smtp_oauth_token_url=endpoint.url)
        server = MailServer(settings)
        assert await send(server, 3) == {(Sent, Reason.SENT)}
        good |= {"token-2"}
        good -= {"token-1"}
        assert await send(server, 3) == {(Sent, Reason.SENT)}  # token-1 is refused, and replaced
        good.clear()
        [(_, reason)] = await send(server, 5)
        assert (reason, len(endpoint.forms), relay.mails) == (Reason.CREDENTIALS, 3, 6)
