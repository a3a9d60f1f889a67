"""Render what one message carries as a Message. Pure."""

from hashlib import sha256

from alertgate.channel_kinds import AS_MAIL
from alertgate.model import ChannelName, IncidentStatus, Severity
from alertgate.notify.channels.base import Brief, Message, Picture
from alertgate.notify.context import DigestContext, MessageContext
from alertgate.notify.gateways import is_text_message
from alertgate.notify.render import digest, mail, push
from alertgate.notify.render.sms import sms
from alertgate.notify.render.subject import subject


def render(context: MessageContext | DigestContext, *, with_picture: bool = True) -> Message:
    """Return the message for a notification or a digest: short and plain for a text message, else text and HTML.

    `with_picture=False` is for a message that the mail server rejected as too large: the mail says that a picture is
    missing.
    """
    if isinstance(context, DigestContext):
        return _digest(context)
    notification = context.notification
    if is_text_message(notification.channel, notification.address):
        by_service = notification.channel not in AS_MAIL
        return _message(context, text=sms(context), brief=push.brief(context) if by_service else None)
    picture = mail.picture(context.latest)
    title = subject(context)
    if notification.channel not in AS_MAIL:
        shown = picture if with_picture else None
        text = push.spoken(context) if notification.channel is ChannelName.CALL else push.text(context)
        return _message(context, text=text, subject=title, picture=shown, brief=push.brief(context))
    bodies = mail.bodies(context, title, picture=picture is not None and with_picture, left_out=picture is not None)
    return _message(
        context,
        text=bodies.text,
        subject=title,
        html=bodies.html,
        picture=picture if with_picture else None,
    )


def _digest(context: DigestContext) -> Message:
    found = digest.groups(context)
    subject, html, brief = None, None, None
    if context.channel not in AS_MAIL:
        brief = push.digest_brief(context, found, digest.tag(found))
    if is_text_message(context.channel, context.address):
        text = digest.sms(context, found)
    elif brief:
        subject = digest.subject(context, found)
        text = push.shorten_lines(digest.summary(context, found), push.LONGEST)
    else:
        subject = digest.subject(context, found)
        text, html = digest.bodies(context, found, subject)
    thread_id = f"digest.{context.digest_id}@{context.message_domain}"
    return Message(
        to=context.address,
        text=text,
        subject=subject,
        html=html,
        message_id=f"{context.digest_id}.{_fingerprint_of_items(context)}@{context.message_domain}",
        thread_id=thread_id,
        date=context.now,
        urgent=digest.is_urgent(found),
        brief=brief,
    )


def _fingerprint_of_items(context: DigestContext) -> str:
    """Return what differs between two digests that say something different, but not between two attempts at one."""
    said = [(each.incident.id, each.incident.status, each.incident.severity, each.alerts) for each in context.items]
    return _fingerprint(sorted(said))


def _fingerprint_of_one(context: MessageContext) -> str:
    """Return what differs between two attempts at a message if the second one is news to whoever got the first.

    An opening that was being sent when its process was killed is sent again; if the incident is over by then, it says
    that. Mail programs show one of two mails with the same id, so it mustn't have the first one's. More alerts alone
    are no news: the next update tells of them.
    """
    incident = context.incident
    who = incident.acknowledged_by if incident.status is IncidentStatus.ACKNOWLEDGED else None
    return _fingerprint((str(context.notification.kind), str(incident.status), str(incident.severity), who))


def _fingerprint(said: object) -> str:
    return sha256(repr(said).encode(errors="surrogatepass")).hexdigest()[:8]


def _message(
    context: MessageContext,
    *,
    text: str,
    subject: str | None = None,
    html: str | None = None,
    picture: Picture | None = None,
    brief: Brief | None = None,
) -> Message:
    domain = context.message_domain
    return Message(
        to=context.notification.address,
        text=text,
        subject=subject,
        html=html,
        picture=picture,
        message_id=f"{context.notification.id}.{_fingerprint_of_one(context)}@{domain}",
        thread_id=f"incident.{context.incident.id}@{domain}",
        date=context.now,
        urgent=context.incident.severity is Severity.CRITICAL and not (context.resolved or context.is_quiet),
        brief=brief,
    )
