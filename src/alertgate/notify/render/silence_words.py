"""What a message says of the silence that it tells of. Pure."""

from alertgate.notify.context import MessageContext
from alertgate.notify.render.text import one_line


def who_silenced_it(context: MessageContext) -> str:
    """Say who silences the device and until when, and what is told all the same; or, if that is over, that it was so.

    Nothing, if the message is about no silence.
    """
    silence = context.silence
    if silence is None:
        return ""
    by, until = one_line(silence.author, 60), context.minute(silence.over_at)
    if not context.is_silenced:
        return f"{by} had silenced {context.where} until {until}."
    but = f", unless it is {silence.unless}" if silence.unless else ", not even if it is critical"
    return f"{by} has silenced {context.where}: nothing is said of it until {until}{but}."
