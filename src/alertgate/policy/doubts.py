"""What probably isn't meant as the policy says it: steps that are never reached, hours in which nobody hears. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from alertgate.local_time import differ
from alertgate.model import Severity
from alertgate.policy import device_tables, events
from alertgate.policy.devices import OF_THE_CLOUD
from alertgate.policy.escalations import EVERYONE, SCHEDULE_MARK
from alertgate.policy.matchers import is_any
from alertgate.policy.people import Contact
from alertgate.policy.policy import Policy
from alertgate.policy.problem_words import key as key_of
from alertgate.policy.routes import Route
from alertgate.policy.sampled_week import ALWAYS, SampledWeek
from alertgate.policy.surroundings import Surroundings, channel_of
from alertgate.policy.written import show_duration

OF_CLOUD_ALONE = "spark/"
HALF_A_YEAR = timedelta(days=182)

Doubt = tuple[str, str]
"""A key, and what is doubtful about it, with a remedy."""


def doubts(policy: Policy, now: datetime) -> Iterator[Doubt]:
    """Yield what is doubtful; `now` is within the week that is looked at."""
    yield from events.doubts(policy.events)
    yield from ((key_of(("devices", pattern)), text) for pattern, text in device_tables.doubts(policy.devices))
    yield from _of_the_cloud(policy)
    yield from _two_zones(policy, now)
    yield from _gaps(policy)
    yield from _hidden_routes(policy.routes)
    yield from _unreached(policy)
    yield from _never_told(policy)
    yield from _no_reminders(policy)
    week = SampledWeek(policy, now)
    yield from _deaf_hours(policy, week)
    yield from _no_time(policy, week)


def _of_the_cloud(policy: Policy) -> Iterator[Doubt]:
    """Yield what waits for alerts that go to the device instead, since [devices] names it: nobody would hear of it."""
    if not any(rule.is_id for rule in policy.devices):
        return
    text = (
        "is for no alert of a device that [devices] names by its id: what Particle's cloud says of it goes to the "
        "device; {}, or have the watch tell you (expect_every)"
    )
    about = [rule for rule in policy.events if _is_of_the_cloud(rule.event) and rule.ignore is not True]
    for number, rule in enumerate(policy.events, 1):
        if rule in about and not rule.vitals and rule.alarm is None:
            yield f"events[{number}].event", text.format("add `alarm` to the rule for those that are one")
    for number, route in enumerate(policy.routes, 1):
        if route.matcher.event and _is_of_the_cloud(route.matcher.event) and not about:
            yield f"routes[{number}].event", text.format("add an [[events]] rule with `alarm`")


def _is_of_the_cloud(glob: str) -> bool:
    """Return whether a glob is meant for what goes to the devices that are named."""
    return glob.startswith(OF_CLOUD_ALONE) and any(fnmatchcase(event, glob) for event in OF_THE_CLOUD)


def _two_zones(policy: Policy, now: datetime) -> Iterator[Doubt]:
    """Yield that the clock of messages isn't that of the file."""
    file, readers = policy.zone, policy.readers_zone
    if differ(file, readers, now):
        yield (
            "timezone",
            (
                f"is {file.key}, but TIMEZONE or TZ says {readers.key}, which messages, pages and commands have: "
                "name the same zone, or leave TIMEZONE and TZ out"
            ),
        )


def unreachable(policy: Policy, surroundings: Surroundings) -> Iterator[Doubt]:
    """Yield the contacts that nothing can reach as this process is set up."""
    for person in policy.people.values():
        for place, contact in enumerate(person.contacts):
            if text := _lacks(contact, surroundings):
                yield key_of(("people", person.name, "contacts", place)), text


def _lacks(contact: Contact, surroundings: Surroundings) -> str | None:
    """Return why nobody is told by a contact: its channel, or the secret that holds its address; None if they are."""
    name, address = contact.secret, contact.resolve(surroundings.secrets)
    if name and not address:
        return f"is in ${name}, which isn't set, so nobody is told by it: set {name} in .env and reload"
    if lacks := surroundings.missing.get(channel_of(contact.channel, address or "")):
        return f"is {f'in ${name}' if name else contact.channel}, and nobody is told by it yet: {lacks}"
    if name is None or address is None:
        return None
    try:
        surroundings.check(contact.channel, address)
    except ValueError:
        return f"is in ${name}, whose value is no address of {contact.channel}: correct it"
    return None


def _gaps(policy: Policy) -> Iterator[Doubt]:
    for schedule in policy.schedules.values():
        if schedule.gaps.spans and not schedule.otherwise:
            text = (
                f"has nobody on call {schedule.gaps} ({schedule.zone.key}): add a turn, or name somebody in `otherwise`"
            )
            yield f"{key_of(('schedules', schedule.name))}.week", text


def _ceilings(routes: Sequence[Route]) -> list[Severity | None]:
    """Return the highest severity that reaches each route; None if nothing does.

    Earlier routes that look at nothing but the severity take what is above it.
    """
    found: list[Severity | None] = []
    highest: Severity | None = Severity.CRITICAL
    for route in routes:
        found.append(highest)
        least = route.matcher.min_severity
        if route.matcher.looks_at_severity_alone and highest:
            below = [
                each for each in Severity if each.rank < (least.rank if least else 0) and each.rank <= highest.rank
            ]
            highest = max(below, key=lambda each: each.rank, default=None)
    return found


def _reaches(route: Route, ceiling: Severity | None) -> bool:
    least = route.matcher.min_severity
    return ceiling is not None and (least is None or least.rank <= ceiling.rank)


def _hidden_routes(routes: Sequence[Route]) -> Iterator[Doubt]:
    for number, (route, ceiling) in enumerate(zip(routes, _ceilings(routes), strict=True), 1):
        if not _reaches(route, ceiling):
            yield f"routes[{number}]", "is never reached: earlier routes take everything as severe; put it before them"
        elif hiding := next((n for n, other in enumerate(routes[: number - 1], 1) if _hides(other, route)), None):
            yield f"routes[{number}]", f"is never reached: route {hiding} takes the same; put this one before it"


def _hides(earlier: Route, later: Route) -> bool:
    """Return whether an earlier route certainly takes all that a later one matches."""
    first, second = earlier.matcher, later.matcher
    least = first.min_severity is None or (second.min_severity or Severity.INFO).rank >= first.min_severity.rank
    events = is_any(first.event) or first.event == second.event
    sources = is_any(first.source) or first.source == second.source
    return least and events and sources and first.device in (None, second.device)


def _worst(policy: Policy) -> dict[str, Severity]:
    """Return the highest severity that reaches each escalation that a route leads to."""
    if not policy.routes:
        return {EVERYONE: Severity.CRITICAL}
    worst: dict[str, Severity] = {}
    for route, ceiling in zip(policy.routes, _ceilings(policy.routes), strict=True):
        if ceiling and _reaches(route, ceiling):
            worst[route.escalation] = max(ceiling, worst.get(route.escalation, ceiling), key=lambda each: each.rank)
    return worst


def _mildest(policy: Policy, escalation: str) -> Severity:
    """Return the lowest severity that a route lets through to an escalation."""
    least = (each.matcher.min_severity or Severity.INFO for each in policy.routes if each.escalation == escalation)
    return min(least, key=lambda each: each.rank, default=Severity.INFO)


def _unreached(policy: Policy) -> Iterator[Doubt]:
    worst = _worst(policy)
    for escalation in policy.escalations.values():
        key = key_of(("escalations", escalation.name))
        if escalation.name not in worst:
            yield key, "is never reached: no route leads to it; name it in [[routes]], or remove it"
            continue
        for number, step in enumerate(escalation.steps, 1):
            if not step.is_for(worst[escalation.name]):
                text = f"is never reached: what comes here is at most {worst[escalation.name]}; lower its min_severity"
                yield f"{key}.steps[{number}]", text
        if not any(step.is_for(_mildest(policy, escalation.name)) for step in escalation.steps):
            yield (
                f"{key}.steps",
                "tell nobody of what is less severe than their min_severity: leave it out of one step",
            )


def _no_reminders(policy: Policy) -> Iterator[Doubt]:
    for each in policy.escalations.values():
        if each.repeat_every and each.repeat_every >= each.stop_after:
            every, stop = show_duration(each.repeat_every), show_duration(each.stop_after)
            text = f"is {stop}, and repeat_every {every}, so no reminder ever comes: make it longer"
            yield f"{key_of(('escalations', each.name))}.stop_after", text


def _never_told(policy: Policy) -> Iterator[Doubt]:
    if not policy.routes:
        return
    worst = _worst(policy)
    reached = [found for name in worst if (found := policy.escalation(name))]
    mentioned = {name for each in reached for step in each.steps for name in step.notify} | set(policy.operator)
    on_call = {
        name
        for schedule in policy.schedules.values()
        if SCHEDULE_MARK + schedule.name in mentioned
        for name in (
            *schedule.otherwise,
            *(who for turn in schedule.week for who in turn.who),
            *(who for override in schedule.overrides for who in override.who),
        )
    }
    for name in policy.people:
        if name not in mentioned | on_call:
            yield (
                key_of(("people", name)),
                "is never told of an alert: name them in a step or a schedule",
            )


def _deaf_hours(policy: Policy, week: SampledWeek) -> Iterator[Doubt]:
    """Yield the hours of the week in which nobody would hear of a critical incident, by each escalation."""
    for name, severity in _worst(policy).items():
        escalation = policy.escalation(name)
        if severity is not Severity.CRITICAL or not escalation or not policy.people:
            continue
        told = dict.fromkeys(name for step in escalation.steps for name in step.notify)
        alone = week.nobodys(told)  # then others stand in
        deaf = (week.deaf(told, severity) & ~alone) | (alone & week.deaf(policy.people, severity))
        if deaf := week.closed(escalation) | deaf:
            hours = week.hours(deaf, escalation.zone)
            key = key_of(("escalations", name)) if name in policy.escalations else "people"
            words = "nobody would hear of a critical incident at once"
            remedy = "add `except critical` to quiet_hours, or a step for somebody who is awake"
            yield key, f"leaves hours in which {words}: {hours} ({escalation.zone.key}); {remedy}"


def _no_time(policy: Policy, week: SampledWeek) -> Iterator[Doubt]:
    """Yield whom an escalation tells within its hours alone, in all of which they are quiet."""
    for escalation in policy.escalations.values():
        names = dict.fromkeys(name for step in escalation.steps for name in step.notify)
        for person in (policy.people[name] for name in names if name in policy.people):
            held = week.closed(escalation) | week.quiet(person, Severity.INFO)
            if escalation.hours and person.quiet and held == ALWAYS:
                key = f"{key_of(('escalations', escalation.name))}.hours"
                yield (
                    key,
                    f"are all within the quiet hours of {person.name}, so nothing reaches them: change either",
                )
