"""Render a notification as a Message. Pure."""

from alertgate.model import Severity
from alertgate.notify.channels.base import Message, Picture
from alertgate.notify.context import MessageContext
from alertgate.notify.gateways import is_text_message
from alertgate.notify.render import mail
from alertgate.notify.render.sms import sms


def render(context: MessageContext, *, with_picture: bool = True) -> Message:
    """Return the message for a notification: short and plain for a text message, else text and HTML.

    `with_picture=False` is for a message that the mail server rejected as too large: the mail says that a picture is
    missing.
    """
    notification = context.notification
    if is_text_message(notification.channel, notification.address):
        return _message(context, text=sms(context))
    picture = mail.picture(context.latest)
    subject = mail.subject(context)
    bodies = mail.bodies(context, subject, picture=picture is not None and with_picture, left_out=picture is not None)
    return _message(
        context,
        text=bodies.text,
        subject=subject,
        html=bodies.html,
        picture=picture if with_picture else None,
    )


def _message(
    context: MessageContext,
    *,
    text: str,
    subject: str | None = None,
    html: str | None = None,
    picture: Picture | None = None,
) -> Message:
    domain = context.message_domain
    return Message(
        to=context.notification.address,
        text=text,
        subject=subject,
        html=html,
        picture=picture,
        message_id=f"{context.notification.id}@{domain}",
        thread_id=f"incident.{context.incident.id}@{domain}",
        date=context.now,
        urgent=context.incident.severity is Severity.CRITICAL and not context.resolved,
    )
