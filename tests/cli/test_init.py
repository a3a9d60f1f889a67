"""The secrets that `alertgate init` writes."""

import base64

from dotenv import dotenv_values
from standardwebhooks import Webhook

from alertgate.accept.credentials import CredentialCheck, fits_libraries, standard_webhook
from alertgate.cli.init import write_env
from alertgate.settings_load import load
from tests.fakes import START


def test_the_libraries_sign_with_every_secret_that_init_writes(tmp_path):
    """300 fresh ones: the Python library takes each as it is, and what it signs passes here."""
    secrets = set()
    for number in range(300):
        path = tmp_path / str(number)
        write_env(path)
        secret = dotenv_values(path)["WEBHOOK_SECRET"]
        signed = Webhook(secret).sign("msg_1", START, "{}")
        stamp = str(int(START.timestamp()))
        assert standard_webhook("msg_1", stamp, signed, b"{}", [secret], START) == CredentialCheck.OK
        assert fits_libraries(secret)
        secrets.add(secret)
    assert len(secrets) == 300
    assert {len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) for secret in secrets} == {24}


def test_a_fresh_env_file_is_read_as_it_was_written(tmp_path):
    """Neither python-dotenv nor the checks change or refuse one."""
    for number in range(100):
        path = tmp_path / str(number)
        write_env(path)
        settings = load(path)
        assert settings.webhook_secret.get_secret_value() == path.read_text().split("WEBHOOK_SECRET=")[2].split("\n")[0]
        assert settings.webhook_token is None
