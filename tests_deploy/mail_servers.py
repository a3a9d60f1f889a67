"""Debian's Postfix and Exim, each on a free port and in a directory of its own, with one mistake configured."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from tests_deploy.stack import run, wait_for

EXIM = os.environ.get("EXIM", "exim4")
"""Debian lets only one mail server be installed, so deploy/test.sh unpacks this one beside Postfix."""
USER, PASSWORD = "alerts@example.net", "right"
RECIPIENT = "me@example.com"
"""The only mailbox of both servers."""

_MAIN_CF = """
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.test
mynetworks =
mydestination =
maillog_file = {place}/log
maillog_file_prefixes = {place}
virtual_mailbox_domains = example.com
virtual_mailbox_maps = inline:{{ {recipient}=here }}
virtual_transport = discard:
default_transport = discard:
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_auth_enable = {sasl}
cyrus_sasl_config_path = {place}/sasl
smtpd_sender_login_maps = inline:{{ {user}={user} }}
"""
_MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
"""
_SASL = """
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {place}/sasl/users
mech_list: PLAIN
"""
_EXIM = """
primary_hostname = mail.test
exim_user = mail
exim_group = mail
spool_directory = {place}/spool
log_file_path = {place}/log-%s
pid_file_path = {place}/pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
domainlist local_domains = example.com
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
{main}

begin acl
check_rcpt:
{rcpt}
  accept domains = +local_domains
         endpass
         verify = recipient
  deny   message = relay not permitted
check_data:
{data}
  accept

begin routers
mailbox:
  driver = accept
  local_parts = me
  domains = +local_domains
  transport = nowhere

begin transports
nowhere:
  driver = appendfile
  file = /dev/null
  user = mail
"""


@contextmanager
def _place() -> Iterator[Path]:
    """A directory that the servers' own users may enter."""
    place = Path(mkdtemp(prefix="alertgate-mail-", dir="/var/tmp"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False


@contextmanager
def _running(command: list[str | Path], port: int, place: Path) -> Iterator[int]:
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: _answers(port) or server.poll() is not None)
        assert server.poll() is None, (server.stdout and server.stdout.read(), [*place.glob("log*")])
        yield port
    finally:
        server.terminate()
        server.communicate(timeout=20)


@contextmanager
def postfix(changes: Mapping[str, str], *, sasl: bool = False) -> Iterator[int]:
    """Run Postfix with these settings of main.cf; give its port."""
    with _place() as place:
        port = _free_port()
        main = _MAIN_CF.format(place=place, recipient=RECIPIENT, user=USER, sasl="yes" if sasl else "no")
        (place / "main.cf").write_text(main + "".join(f"{name} = {value}\n" for name, value in changes.items()))
        (place / "master.cf").write_text(_MASTER_CF.format(port=port))
        for name in ("queue", "data", "sasl"):
            (place / name).mkdir()
        shutil.chown(place / "data", "postfix")
        if sasl:
            (place / "sasl" / "smtpd.conf").write_text(_SASL.format(place=place))
            users = place / "sasl" / "users"
            local, _, realm = USER.partition("@")
            run("saslpasswd2", "-p", "-c", "-f", users, "-u", realm, local, input=PASSWORD)
            shutil.chown(users, "postfix")
        run("postfix", "-c", place, "check")
        with _running(["/usr/lib/postfix/sbin/master", "-c", place, "-d"], port, place):
            yield port


@contextmanager
def exim(*, main: str = "", rcpt: str = "", data: str = "") -> Iterator[int]:
    """Run Exim with these lines in the main section and in the ACLs of RCPT and DATA; give its port."""
    with _place() as place:
        port = _free_port()
        (place / "spool").mkdir()
        shutil.chown(place / "spool", "mail", "mail")
        shutil.chown(place, "mail", "mail")
        config = place / "exim.conf"
        config.write_text(_EXIM.format(place=place, port=port, main=main, rcpt=rcpt, data=data))
        config.chmod(0o644)
        with _running([EXIM, "-C", config, "-bdf", "-q1h"], port, place):
            yield port
