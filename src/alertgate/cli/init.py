"""A first .env, with fresh secrets."""

import os
import secrets
from pathlib import Path

from alertgate.errors import AlertgateError

TEMPLATE = """\
# alertgate's settings; README lists them all. Only you can read this file: keep it so.

# Made for you by `alertgate init`.
SECRET_KEY={secret_key}
PARTICLE_WEBHOOK_SECRET={particle}
WEBHOOK_SECRET={webhook}
API_TOKEN={api}

# Who is told, comma-separated; and the mail account that tells them. While SMTP_EMAIL is unset, messages go to
# the outbox, a Maildir under data/outbox. For Gmail, SMTP_PASSWORD is an app password (README, Gmail).
#RECIPIENT_EMAIL=you@example.org
#SMTP_EMAIL=alerts@example.org
#SMTP_PASSWORD=

#TIMEZONE=Europe/Berlin
#DEVICES=3f002b000000000000000000=Front door
"""


def write_env(path: Path) -> None:
    """Write a .env, mode 0600. Raises AlertgateError where there is one, or where it can't be written."""
    text = TEMPLATE.format(
        secret_key=secrets.token_urlsafe(32),
        particle=secrets.token_urlsafe(32),
        webhook=secrets.token_urlsafe(32),
        api=secrets.token_urlsafe(32),
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise AlertgateError(f"{path} is there already; nothing was changed. Move it away to start afresh.") from None
    except OSError as error:
        raise AlertgateError(f"{path} can't be written: {error}.") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
