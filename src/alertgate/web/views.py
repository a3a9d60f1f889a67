"""How alerts, incidents and notifications look in the API."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

SILENCED = "Those that held what was to be said of the incident, or do now, oldest first"


class AlertView(BaseModel):
    """One accepted webhook event."""

    id: str
    received_at: datetime
    source: str
    status: str = Field(description="`accepted`, `quarantined` or `ignored`")
    signal: str = Field(description="`firing` or `resolved`")
    event: str
    severity: str
    incident_key: str = Field(description="What makes alerts belong to one incident")
    device: str | None
    message: str | None
    data: Any
    fields: dict[str, Any] = Field(description="Everything else that the body said")
    published_at: datetime | None
    repeat_key: str | None = Field(description="The sender's own id of the event, which its repeats have too")
    id_kind: str | None = Field(description="`event_id`, `idempotency_key`, `webhook_id` or `own_time`")
    content: str | None = Field(description="A digest of what it says, the same for its repeats; null: it has none")
    errors: list[str] = Field(description="Why it is quarantined")
    raw: str | None = Field(
        description="The body of a quarantined alert, or its beginning; bytes that are no UTF-8 as escapes"
    )
    request_id: str | None
    credential: str | None = Field(
        description="What let its request in: `particle_secret`, `webhook_secret` (a signature) or `webhook_token`"
    )
    incident_id: str | None
    reason: str | None = Field(description="Why it opened, joined or resolved its incident, and who hears of it when")


class IncidentView(BaseModel):
    """The open problem that alerts belong to."""

    id: str
    key: str
    status: str
    source: str
    event: str
    device: str | None
    severity: str
    opened_at: datetime
    last_alert_at: datetime
    alert_count: int
    began_at: datetime | None = Field(description="When its first firing alert was published, or else received")
    last_firing_at: datetime | None = Field(description="The same for its newest firing alert")
    last_alert_id: str | None
    changes: int = Field(description="How often it was opened, resolved and reopened")
    changed_at: datetime | None = Field(description="When an alert last changed its state or its severity")
    first_firing_at: datetime | None = Field(
        description="From when the steps of its escalation count; null: from `opened_at`"
    )
    acknowledged_at: datetime | None
    acknowledged_by: str | None = Field(description="What the person called themselves")
    acknowledged_with: str | None = Field(description="The credential that was checked: `api_token`, `link`, …")
    acknowledged_changes: int | None = Field(description="How often it had changed when it was acknowledged")
    snoozed_until: datetime | None = Field(description="When the acknowledgement ends by itself, if it was a snooze")
    handed_back_at: datetime | None = Field(description="When the acknowledgement was handed back; nobody has it then")
    handed_back_by: str | None = Field(description="What the person called themselves")
    handed_back_with: str | None = Field(description="The credential that was checked")
    resolved_at: datetime | None
    ended_at: datetime | None = Field(description="When its all-clear was published, if that says so")
    resolution: str | None = Field(description="What ended it: `alert`, `person` or `silence`")
    resolved_by: str | None = Field(description="The person, or the id of the alert, that ended it")
    resolved_with: str | None = Field(description="The credential of the person, or of the alert's request")


class AttemptView(BaseModel):
    """One attempt to send a notification."""

    id: str
    started_at: datetime
    seconds: float
    outcome: str
    reason: str
    reply: str = Field(description="The server's own words")
    queue_id: str | None = Field(description="The name under which the server has queued it")


class NotificationFacts(BaseModel):
    """A notification to one recipient, without its attempts."""

    id: str
    incident_id: str
    channel: str
    address: str = Field(description="Masked where whoever knows it could write to it, or read it")
    kind: str
    status: str
    severity: str
    reason: str
    created_at: datetime
    due_at: datetime = Field(
        description="When it is, or was, to be sent; in the year 9999 if it failed because its service refuses us: it "
        "is sent by itself only once another message to its contact has arrived"
    )
    retry_since: datetime = Field(description="From when GIVE_UP_AFTER counts")
    lease_owner: str | None
    lease_until: datetime | None
    claimed_at: datetime | None
    finished_at: datetime | None
    told: str | None = Field(description="The state of the incident that it told, or may have told if no answer came")
    digest_id: str | None = Field(description="The digest that carries it; null if it goes as a message of its own")
    held_until: datetime | None = Field(description="When `SMTP_DAILY_LIMIT` last held it back")
    dismissed_at: datetime | None = Field(description="When somebody dismissed it, after it had failed")
    dismissed_by: str | None = Field(description="What the person called themselves")
    dismissed_with: str | None = Field(description="The credential that was checked")
    retried_with: str | None = Field(description="The credential of whoever last retried it")
    superseded_by: str | None = Field(
        description="If it failed: the later notification to the same contact about the same incident that counts "
        "instead"
    )
    missed_since: datetime | None = Field(description="When it first became due, if its channel was away then")
    person: str | None = Field(description="Whom it tells; of a recipient of the settings the address")
    via: str | None = Field(description="The name that led to the person: theirs, or a schedule's with its `@`")
    hold: str | None = Field(description="What it waits for: `delayed`, `quiet_hours` or `outside_hours`")
    released_at: datetime | None = Field(description="When its last hold ended")
    proof: str | None = Field(
        description="How far it is proved that it arrived: `sent` (its service took it), `delivered` (to the phone), "
        "`seen` or `acknowledged`; null until it is sent"
    )
    proved_at: datetime | None = Field(description="When that was so")
    proved_by: str | None = Field(description="What proves it, or who acknowledged it, in the service's words")


class NotificationView(NotificationFacts):
    """A notification to one recipient, with its attempts."""

    attempts: list[AttemptView]


class ListedNotification(NotificationFacts):
    """A notification to one recipient, as lists show it."""

    last_attempt: AttemptView | None = Field(description="The last attempt to send it, with the server's own words")


class NotificationList(BaseModel):
    """One page of notifications, newest first."""

    items: list[ListedNotification]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class DismissedCount(BaseModel):
    """How many outstanding failures were dismissed."""

    dismissed: int


class SilenceView(BaseModel):
    """A time for which nobody is told of the incidents that it matches."""

    id: str
    state: str = Field(description="`pending` (it begins later), `active` or `over`")
    event: str | None
    device: str | None
    source: str | None
    min_severity: str | None
    unless: str | None = Field(description="What is at least as severe is told all the same")
    begins_at: datetime
    ends_at: datetime
    author: str
    credential: str = Field(description="By what the author was let in")
    note: str | None
    created_at: datetime
    removed_at: datetime | None = Field(description="When somebody ended it before its end")
    removed_by: str | None
    removed_with: str | None


class EscalationView(BaseModel):
    """How far an incident's escalation is."""

    escalation: str = Field(description="Its name in the policy")
    route: str = Field(description="Why the incident goes to it")
    begun_at: datetime
    step: int = Field(description="The last step that was told; 0 before the first, and if others were told instead")
    step_at: datetime | None = Field(description="From when the time to the next step counts")
    reminders: int
    reminded_at: datetime | None = Field(description="From when the time to the next reminder counts")
    first_sent_at: datetime | None = Field(description="From when `stop_after` counts")
    gave_up: bool = Field(description="Whether it was said that nobody has answered")
    told: list[str] = Field(description="The people of the last step")
    reason: str | None = Field(description="What it does until `next_at`, or why it does nothing more")
    next_at: datetime | None = Field(description="When it is decided again; null: not before something changes")


class AlertTrail(BaseModel):
    """One alert's whole trail."""

    alert: AlertView
    incident: IncidentView | None
    notifications: list[NotificationView]
    escalation: EscalationView | None = Field(description="null where all people were told at once, and that is all")
    silences: list[SilenceView] = Field(description=SILENCED)


class AlertList(BaseModel):
    """One page of alerts, newest first."""

    items: list[AlertView]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class IncidentList(BaseModel):
    """One page of incidents, newest first."""

    items: list[IncidentView]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class IncidentTrailView(BaseModel):
    """One incident's whole trail."""

    incident: IncidentView
    alerts: list[AlertView] = Field(description="The latest 20, newest first")
    notifications: list[NotificationView] = Field(description="All of them, oldest first")
    escalation: EscalationView | None = Field(description="null where all people were told at once, and that is all")
    silences: list[SilenceView] = Field(description=SILENCED)


class TestSendView(BaseModel):
    """The outcome of one test message."""

    channel: str
    address: str = Field(description="Masked where whoever knows it could write to it, or read it")
    sent: bool
    reply: str = Field(description="The server's own words; of a failure with its reason before them")
    proof: str | None = Field(description="How far that proves its arrival: `sent` or `delivered`; null if not sent")


class TestSendList(BaseModel):
    """The outcome of a test message to each recipient."""

    ok: bool = Field(description="Whether every server took its message")
    items: list[TestSendView]
