"""Serves until a signal. Apart from the other commands, because what it imports takes as long as all of theirs."""

import gc
import signal
from collections.abc import Callable
from pathlib import Path

from alertgate.app import create_app, open_gate
from alertgate.config import Settings
from alertgate.settings_load import contact_secrets
from alertgate.web.server import Server, allow_many_files, listen, server_config
from alertgate.web.signals import Signals
from alertgate.web.state import log_state


def run(
    settings: Settings, env_file: Path, signals: Signals, *, on_listening: Callable[[str], None] | None = None
) -> bool:
    """Serve webhooks and deliver notifications, until a signal; return whether it ever listened.

    `on_listening` is told the address. Raises ConfigError, PolicyInvalid and the errors of the store.
    """
    allow_many_files()
    listener = listen(settings.host, settings.port)
    gate = open_gate(settings, secrets_of_contacts=lambda: contact_secrets(env_file))
    server = Server(
        server_config(create_app(gate), settings),
        gate.health,
        on_listening=on_listening,
        on_stop=gate.lookout.close,
        signals=signals,
        acts={signal.SIGHUP: gate.policies.reload, signal.SIGUSR1: lambda: log_state(gate)},
    )
    # No full garbage collection walks through the modules again: p99 of a burst is half of what it is without.
    gc.freeze()
    server.run(sockets=[listener])
    return server.started
