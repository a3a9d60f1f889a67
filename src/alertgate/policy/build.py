"""A file that was read becomes a Policy. Pure."""

from types import MappingProxyType
from zoneinfo import ZoneInfo

from alertgate.policy.devices import DeviceRule
from alertgate.policy.document import Document, EscalationTable, PersonTable, RouteTable, ScheduleTable, TurnTable
from alertgate.policy.escalations import AGAIN_AFTER_ACK, STOP_AFTER, Escalation, Step
from alertgate.policy.matchers import Matcher
from alertgate.policy.people import Person, recipients
from alertgate.policy.policy import UTC, Policy
from alertgate.policy.routes import Route
from alertgate.policy.schedules import Override, Schedule, Turn
from alertgate.policy.surroundings import Surroundings

EVERY_DAY = frozenset(range(7))


def build(document: Document, surroundings: Surroundings) -> Policy:
    """Return the policy of a file without problems."""
    zone = document.timezone or surroundings.zone or UTC
    people = {name: _person(name, table, zone) for name, table in document.people.items()}
    return Policy(
        events=document.events,
        zone=zone,
        readers_zone=surroundings.zone or zone,
        people=MappingProxyType(people) if people else recipients(surroundings.recipients, zone),
        schedules=MappingProxyType({name: _schedule(name, each, zone) for name, each in document.schedules.items()}),
        escalations=MappingProxyType(
            {name: _escalation(name, each, zone) for name, each in document.escalations.items()}
        ),
        routes=tuple(_route(table) for table in document.routes),
        operator=document.operator or (),
        devices=tuple(DeviceRule(pattern, **dict(table)) for pattern, table in document.devices.items()),
    )


def _person(name: str, table: PersonTable, zone: ZoneInfo) -> Person:
    return Person(name, table.contacts, table.timezone or zone, table.quiet_hours)


def _schedule(name: str, table: ScheduleTable, zone: ZoneInfo) -> Schedule:
    overrides = tuple(Override(each.who, each.start, each.until) for each in table.overrides)
    week = tuple(map(_turn, table.week))
    return Schedule(name, week, table.timezone or zone, table.handover, table.otherwise or (), overrides)


def _turn(table: TurnTable) -> Turn:
    days = EVERY_DAY if table.days is None else table.days
    return Turn(table.who, days, table.hours.on(days) if table.hours else None)


def _escalation(name: str, table: EscalationTable, zone: ZoneInfo) -> Escalation:
    return Escalation(
        name,
        tuple(Step(each.notify, each.after, each.min_severity) for each in table.steps),
        table.timezone or zone,
        table.repeat_every,
        table.stop_after or STOP_AFTER,
        table.again_after_ack or AGAIN_AFTER_ACK,
        table.hours,
    )


def _route(table: RouteTable) -> Route:
    return Route(table.escalation, Matcher(table.event, table.device, table.source, table.min_severity), table.wait)
