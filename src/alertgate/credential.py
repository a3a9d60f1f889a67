"""By what a request or a command was let in: recorded beside a person's own word for who they are."""

from enum import StrEnum
from types import MappingProxyType


class Credential(StrEnum):
    """The secret that was presented and checked, or what stands for one; stored with what was done."""

    API_TOKEN = "api_token"  # noqa: S105  (a setting's name, as the others are)
    COMMAND_LINE = "command_line"  # nothing is checked: whoever can read the settings on the service's machine
    CONSOLE = "console"  # a session, begun by a link that was sent to the person's own contact
    CONSOLE_TOKEN = "console_token"  # noqa: S105  (a session, begun with API_TOKEN)
    LINK = "link"
    PUSHOVER = "pushover"  # its receipt
    TELEGRAM = "telegram"  # a button, or a reply, in the chat
    TWILIO = "twilio"  # a digit in a call, or a reply to a text message
    PARTICLE = "particle_secret"
    WEBHOOK_SECRET = "webhook_secret"  # noqa: S105  (a signature by it)
    WEBHOOK_TOKEN = "webhook_token"  # noqa: S105
    METRICS_TOKEN = "metrics_token"  # noqa: S105  (nothing that is recorded is done with it)


_WORDS = MappingProxyType(
    {
        Credential.API_TOKEN: " with API_TOKEN",
        Credential.COMMAND_LINE: " on the command line",
        Credential.CONSOLE: " in the console",
        Credential.CONSOLE_TOKEN: " in the console with API_TOKEN",
        Credential.LINK: " with a message's link",
        Credential.PUSHOVER: " in Pushover",
        Credential.TELEGRAM: " in Telegram",
        Credential.TWILIO: " by phone",
        Credential.PARTICLE: " with PARTICLE_WEBHOOK_SECRET",
        Credential.WEBHOOK_SECRET: " with a signature by WEBHOOK_SECRET",
        Credential.WEBHOOK_TOKEN: " with WEBHOOK_TOKEN",
        Credential.METRICS_TOKEN: " with METRICS_TOKEN",
    }
)


def in_words(credential: Credential | None) -> str:
    """Return how something was done, to follow what was done; empty if that isn't known."""
    return _WORDS[credential] if credential else ""


def signed(name: str, credential: Credential | None) -> str:
    """Return a name with how its bearer was let in: in quotes, so that no name reads like a credential."""
    if credential is None:
        return name
    quoted = name.replace('"', "'")
    return f'"{quoted}"{in_words(credential)}'
