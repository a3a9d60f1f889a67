"""People, schedules, escalations and routes in alertgate.toml: what is read, and every problem with key and remedy."""

# ruff: noqa: E501, ISC004  (tables: a problem stands beside the file that has it)

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.errors import PolicyInvalid
from alertgate.model import ChannelName, Severity
from alertgate.policy.doubts import doubts, unreachable
from alertgate.policy.escalations import AGAIN_AFTER_ACK, STOP_AFTER, Escalation, Step
from alertgate.policy.load import LONGEST_PROBLEM, FileState, parse, read_file
from alertgate.policy.matchers import Matcher
from alertgate.policy.people import Contact, Person
from alertgate.policy.routes import Route
from alertgate.policy.schedules import Override, Schedule, Turn
from alertgate.policy.surroundings import BY_MAIL, Surroundings
from alertgate.policy.written import read_days, read_hours, read_quiet_hours

BERLIN, LONDON, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London"), ZoneInfo("UTC")
NOW = datetime(2026, 11, 23, 14, tzinfo=UTC)
WHOLE = """
timezone = "Europe/Berlin"
operator = "owner"
[people.owner]
contacts    = ["email:owner@example.org", "sms:4917011@gw.example.net after 3m"]
quiet_hours = "22:30-06:30 except critical"
[people."Frau Müller"]
contacts    = ["email:$CONTACT_MUELLER"]
timezone    = "Europe/London"
[schedules.oncall]
week = [
  { days = "mon-thu", who = "owner" },
  { days = "fri sat", hours = "08:00-20:00", who = ["Frau Müller", "owner"] },
]
handover  = "08:00"
otherwise = "Frau Müller"
overrides = [
  { who = "owner", from = "2026-12-24 08:00", until = 2026-12-27T08:00:00 },
]
[escalations.home]
steps = [
  { notify = ["@oncall", "owner"] },
  { after = "10m", notify = "Frau Müller", min_severity = "critical" },
]
repeat_every    = "5m"
stop_after      = "1h"
again_after_ack = "1s"
[escalations.daytime]
hours = "mon-fri 08:00-21:00"
timezone = "UTC"
steps = [{ notify = ["owner"] }]
[[routes]]
event = "door/*"
device = "Front*"
source = "particle"
wait = "10m"
escalation = "home"
[[routes]]
min_severity = "Warn"
escalation = "home"
[[routes]]
escalation = "daytime"
"""
PERSON = '[people.owner]\ncontacts = ["email:owner@example.org"]\n'
HOME = '[escalations.home]\nsteps = [{ notify = ["owner"] }]\n'


def problems(text: str) -> list[str]:
    """Return the problems of a file."""
    with pytest.raises(PolicyInvalid) as refused:
        parse(text)
    return refused.value.problems


@pytest.mark.parametrize("contact", ["sms:+491701111111", "call:+491701111111"])
def test_a_contact_whose_channel_is_not_set_up_says_what_to_set(contact):
    """A number makes a text message one of Twilio's; the number itself isn't shown."""
    phones = dict.fromkeys([ChannelName.TWILIO, ChannelName.CALL], "set TWILIO_ACCOUNT_SID")
    around = Surroundings(channels={**BY_MAIL, **dict.fromkeys(phones, print)}, missing=phones)
    with pytest.raises(PolicyInvalid) as refused:
        parse(f'[people.owner]\ncontacts = ["{contact}"]', around)
    channel = "call" if contact.startswith("call") else "twilio"
    [problem] = refused.value.problems
    assert f"contacts[1] can't be told by {channel} yet: set TWILIO_ACCOUNT_SID" in problem
    assert "+49" not in problem


def test_every_key_is_read():
    """With zones of the file, of a person, of an escalation; and defaults."""
    policy = parse(WHOLE)
    assert (policy.zone, policy.operator) == (BERLIN, ("owner",))
    by_mail = Contact(ChannelName.EMAIL, "owner@example.org")
    by_text = Contact(ChannelName.SMS, "4917011@gw.example.net", timedelta(minutes=3))
    quiet = read_quiet_hours("22:30-06:30 except critical")
    assert dict(policy.people) == {
        "owner": Person("owner", (by_mail, by_text), BERLIN, quiet),
        "Frau Müller": Person("Frau Müller", (Contact(ChannelName.EMAIL, "$CONTACT_MUELLER"),), LONDON),
    }
    fri_sat = read_days("fri sat")
    assert policy.schedules["oncall"] == Schedule(
        "oncall",
        (
            Turn(("owner",), read_days("mon-thu")),
            Turn(("Frau Müller", "owner"), fri_sat, read_hours("fri sat 08:00-20:00")),
        ),
        BERLIN,
        time(8),
        ("Frau Müller",),
        (Override(("owner",), datetime.fromisoformat("2026-12-24T08:00"), datetime.fromisoformat("2026-12-27T08:00")),),
    )
    steps = (
        Step(("@oncall", "owner")),
        Step(("Frau Müller",), timedelta(minutes=10), Severity.CRITICAL),
    )
    second, hour = timedelta(seconds=1), timedelta(hours=1)
    assert policy.escalations["home"] == Escalation("home", steps, BERLIN, timedelta(minutes=5), hour, second)
    hours = read_hours("mon-fri 08:00-21:00")
    daytime = Escalation("daytime", (Step(("owner",)),), UTC_ZONE, None, STOP_AFTER, AGAIN_AFTER_ACK, hours)
    assert policy.escalations["daytime"] == daytime
    assert policy.routes == (
        Route("home", Matcher("door/*", "Front*", "particle"), timedelta(minutes=10)),
        Route("home", Matcher(min_severity=Severity.WARNING)),
        Route("daytime"),
    )


def test_a_file_without_people_tells_the_recipients_of_the_settings():
    """In the zone of the settings, everyone at once, as without a file."""
    around = Surroundings(BERLIN, recipients=[(ChannelName.EMAIL, "a@example.org"), (ChannelName.SMS, "b@example.org")])
    policy = parse('[[events]]\nevent = "x"', around)
    assert [(name, each.contacts, each.zone) for name, each in policy.people.items()] == [
        ("a@example.org", (Contact(ChannelName.EMAIL, "a@example.org"),), BERLIN),
        ("b@example.org", (Contact(ChannelName.SMS, "b@example.org"),), BERLIN),
    ]
    assert [each.person.name for each in policy.told(policy.escalation("everyone").steps[0].notify, NOW)] == [
        "a@example.org",
        "b@example.org",
    ]
    assert list(parse(PERSON, around).people) == ["owner"]


ADDRESS = "is not an email address; write name@example.org, without a display name"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[people.owner]", 'people.owner.contacts is missing: add it, as in contacts = ["email:me@example.org"]'),
        ("[people.owner]\ncontacts = []", "people.owner.contacts is empty: name at least one, as in contacts = "),
        ('[people.owner]\ncontacts = "email:a@b.c"', "people.owner.contacts must be a list, as in contacts = "),
        ("[people.owner]\ncontacts = [3]", "people.owner.contacts[1] must be text in quotes"),
        (
            '[people.owner]\ncontacts = ["a@b.c"]',
            "people.owner.contacts[1] is no contact: write a channel and an address",
        ),
        ('[people.owner]\ncontacts = ["email:"]', "people.owner.contacts[1] is no contact"),
        (
            '[people.owner]\ncontacts = ["mail:a@b.c"]',
            "contacts[1] names a channel that isn't there; did you mean email?",
        ),
        (
            '[people.owner]\ncontacts = ["ntfy:a"]',
            "contacts[1] names a channel that isn't there (there are: email, sms)",
        ),
        ('[people.owner]\ncontacts = ["email:secretname"]', f"people.owner.contacts[1] 's***' {ADDRESS}"),
        ('[people.owner]\ncontacts = ["sms:+491701111111"]', "contacts[1] can't be told by twilio yet: it isn't"),
        ('[people.owner]\ncontacts = ["email:a@b.c after"]', f"people.owner.contacts[1] 'a***@b.c after' {ADDRESS}"),
        ('[people.owner]\ncontacts = ["email:a@b.c after soon"]', "people.owner.contacts[1] is no duration: write a"),
        ('[people.owner]\ncontacts = ["email:$API_TOKEN"]', "names a secret that can't be one: only $CONTACT_NAME"),
        ('[people.owner]\ncontacts = ["email:$CONTACT_"]', "names a secret that can't be one: only $CONTACT_NAME"),
        (f'{PERSON}quiet_hours = "22-6"', "people.owner.quiet_hours has no time of day: write hours and minutes"),
        (f'{PERSON}quiet_hours = "00:00-24:00"', "people.owner.quiet_hours are always: nothing could ever be told"),
        (f'{PERSON}timezone = "Europe/Belrin"', "people.owner.timezone isn't a time zone; did you mean Europe/Berlin?"),
        ('timezone = "CET-1CEST"', "timezone isn't a time zone"),
        (
            f"{PERSON}quiet = 3",
            "people.owner.quiet is unknown; did you mean quiet_hours? (known here: contacts, quiet_h",
        ),
        ("people = 3", "people must be tables: write [people.NAME], and its keys below it"),
        ("people.owner = 3", "people.owner must be a table: write its keys as in docs/people.md"),
        ('[people."@owner"]\ncontacts = ["email:a@b.c"]', 'people."@owner" begins with @, which only marks schedules'),
        ('[people." x"]\ncontacts = ["email:a@b.c"]', 'people." x" isn\'t a name that can be seen as it is'),
        ('[people.""]\ncontacts = ["email:a@b.c"]', 'people."" must be a name of at most 64 characters'),
        ('operator = "owner"', "operator names owner, but there is no [people.owner]: add it"),
        (f'operator = "ower"\n{PERSON}', "operator names ower, but there is no [people.ower]; did you mean owner?"),
        (f"{PERSON}[schedules.s]", "schedules.s.week is missing: add it, as in week = "),
        (
            f'{PERSON}[schedules.s]\nweek = [{{ days = "mon" }}]',
            "schedules.s.week[1].who is missing: add it, as in who",
        ),
        (f'{PERSON}[schedules.s]\nweek = [{{ who = "owner" }}]', "schedules.s.week[1] says no time: add days or hours"),
        (
            f'{PERSON}[schedules.s]\nweek = [{{ days = "mon", hours = "tue 08:00-09:00", who = "owner" }}]',
            "schedules.s.week[1] has hours on none of its days",
        ),
        (f'{PERSON}[schedules.s]\nweek = [{{ days = "fr", who = "owner" }}]', "week[1].days has a day that isn't one"),
        (
            f'{PERSON}[schedules.s]\nweek = [{{ days = "fri", who = "@s" }}]',
            "schedules.s.week[1].who names @s, but only people can be on call",
        ),
        (
            f'{PERSON}[schedules.s]\nweek = [{{ days = "fri", who = "owner" }}]\nhandover = "24:00"',
            "schedules.s.handover is 24:00: write 00:00",
        ),
        (
            f'{PERSON}[schedules.s]\nweek = [{{ days = "fri", who = "owner" }}]\notherwise = "x"',
            "schedules.s.otherwise names x, but there is no [people.x]: add it",
        ),
        (
            f'{PERSON}[schedules.s]\nweek = [{{ days = "fri", who = "owner" }}]\n'
            'overrides = [{ who = "owner", from = "2026-12-24", until = "2026-12-23" }]',
            "schedules.s.overrides[1] ends before it begins: `until` must be later than `from`",
        ),
        (
            f'{PERSON}[schedules.s]\nweek = [{{ days = "fri", who = "owner" }}]\n'
            'overrides = [{ who = "owner", from = 2026-12-24T08:00:00Z, until = "tomorrow" }]',
            "schedules.s.overrides[1].from has an offset: write the local time alone",
        ),
        ("[escalations.home]", "escalations.home.steps is missing: add it, as in steps = "),
        ("[escalations.home]\nsteps = [{}]", "escalations.home.steps[1].notify is missing: add it, as in notify ="),
        (f"{HOME}", "escalations.home.steps[1].notify names owner, but there is no [people.owner]: add it"),
        (
            f'{PERSON}[schedules.shift]\nweek = [{{ days = "fri", who = "owner" }}]\n'
            '[escalations.home]\nsteps = [{ notify = ["shift", "@shfit", "@nobody"] }]',
            "escalations.home.steps[1].notify names shift, which is a schedule: write @shift",
        ),
        (f"{PERSON}[escalations.everyone]\nsteps = []", "escalations.everyone is a name that alertgate itself uses"),
        (
            f'{PERSON}{HOME}repeat_every = "0s"',
            "escalations.home.repeat_every is no time at all: write at least a second",
        ),
        (f"{PERSON}{HOME}repeat_every = 300", 'escalations.home.repeat_every must be text in quotes, as in "10m"'),
        (
            f'{PERSON}{HOME}stop_after = "2 hours"',
            "escalations.home.stop_after is no duration: write a number and s, m",
        ),
        (f'{PERSON}{HOME}hours = "always"', "escalations.home.hours has no hours: write from and until"),
        (f"{PERSON}{HOME}[[routes]]", "routes[1].escalation is missing: add it"),
        (
            f'{PERSON}{HOME}[[routes]]\nescalation = "hoem"',
            "routes[1].escalation names hoem, but there is no [escalation",
        ),
        (
            f'{PERSON}{HOME}[[routes]]\nescalation = "home"\n[[routes]]\nevent = "x"\nescalation = "home"',
            "routes[2] is never reached: route 1 takes everything, for it has no matcher; put this one first",
        ),
        (
            f'{PERSON}{HOME}[[routes]]\nevent = "x"\nescalation = "home"',
            "routes must end with one that matches everything: add [[routes]] with an escalation alone",
        ),
        (
            f'{PERSON}{HOME}[[routes]]\nmin_severity = "loud"\nescalation = "home"\n[[routes]]\nescalation = "home"',
            "routes[1].min_severity is no severity: write info, warning or critical",
        ),
        (f"{PERSON}{PERSON}", "stands there twice: remove one of the two, or"),
        (f'{PERSON}contacts = ["email:b@example.org"]', "a key or a table stands there twice: remove one of the two"),
    ],
)
def test_a_problem_is_named_with_its_key_and_a_remedy(text, problem):
    """And no address is shown."""
    found = problems(text)
    assert any(problem in each for each in found), found
    assert "secretname" not in "".join(found)


def test_every_problem_is_named_at_once():
    """What can't be read, and what doesn't fit together, even in the same table."""
    found = problems("""
timezone = "Mars/Base"
operator = "nobody"
[people.owner]
quiet_hours = "late"
[people.partner]
contacts = ["email:partner"]
[schedules.oncall]
week = [{ days = "mon", who = "ghost" }]
[escalations.home]
steps = [{ after = "soon", notify = ["owner", "gone"] }]
[[routes]]
wait = 3
escalation = "home"
[[routes]]
escalation = "home"
""")
    keys = [each.split()[0] for each in found]
    assert keys == [
        "timezone",
        "people.owner.contacts",
        "people.owner.quiet_hours",
        "people.partner.contacts[1]",
        "escalations.home.steps[1].after",
        "routes[1].wait",
        "operator",
        "schedules.oncall.week[1].who",
        "escalations.home.steps[1].notify",
        "routes[2]",
    ]


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (
            '[schedules.s]\nweek = [{ days = "mon-thu", who = "owner" }]\nhandover = "08:00"\n',
            "schedules.s.week has nobody on call fri 08:00-24:00, sat-sun 00:00-24:00, mon 00:00-08:00 (UTC): add a turn",
        ),
        (
            '[schedules.s]\nweek = [{ days = "mon-sat", who = "owner" }]\nhandover = "07:30"\n',
            "schedules.s.week has nobody on call sun 07:30-24:00, mon 00:00-07:30 (UTC): add a turn",
        ),
        (f"{HOME}[[routes]]\nescalation = 'everyone'", "escalations.home is never reached: no route leads to it"),
        (
            f"{HOME}[escalations.day]\nsteps = [{{ notify = 'owner' }}, {{ notify = 'owner', min_severity = 'warning' }}]\n"
            "[[routes]]\nmin_severity = 'warning'\nescalation = 'home'\n[[routes]]\nescalation = 'day'",
            "escalations.day.steps[2] is never reached: what comes here is at most info; lower its min_severity",
        ),
        (
            f"{HOME}[[routes]]\nmin_severity = 'warning'\nescalation = 'home'\n[[routes]]\nmin_severity = 'critical'\n"
            "escalation = 'home'\n[[routes]]\nescalation = 'home'",
            "routes[2] is never reached: earlier routes take everything as severe",
        ),
        (
            f"{HOME}[[routes]]\nevent = '*'\nescalation = 'home'\n[[routes]]\nevent = 'door/*'\nescalation = 'home'\n"
            "[[routes]]\nescalation = 'home'",
            "routes[2] is never reached: earlier routes take everything as severe",
        ),
        (
            f"{HOME}[[routes]]\nevent = 'door/*'\nsource = '**'\nescalation = 'home'\n[[routes]]\nevent = 'door/*'\n"
            "device = 'NY'\nmin_severity = 'critical'\nescalation = 'home'\n[[routes]]\nescalation = 'home'",
            "routes[2] is never reached: route 1 takes the same; put this one before it",
        ),
        (
            f"{HOME}repeat_every = '5m'\nstop_after = '2m'\n[[routes]]\nescalation = 'home'",
            "escalations.home.stop_after is 2m, and repeat_every 5m, so no reminder ever comes: make it longer",
        ),
        (
            "[escalations.home]\nsteps = [{ notify = 'owner', min_severity = 'warning' }]\n[[routes]]\nescalation = 'home'",
            "escalations.home.steps tell nobody of what is less severe than their min_severity",
        ),
        (
            f"{HOME}[people.x]\ncontacts = ['email:x@example.org']\n[[routes]]\nescalation = 'home'",
            "people.x is never told of an alert: name them in a step or a schedule",
        ),
        (
            f"{HOME}hours = 'mon-fri 08:00-18:00'\n[[routes]]\nescalation = 'home'",
            "escalations.home leaves hours in which nobody would hear of a critical incident at once: mon-thu 18:00-08:00, "
            "fri 18:00-24:00, sat-sun 00:00-24:00, mon 00:00-08:00 (UTC); add `except critical`",
        ),
        (
            "[people.night]\ncontacts = ['email:x@example.org']\nquiet_hours = '22:30-06:30'\n"
            "[escalations.home]\nsteps = [{ notify = 'night' }]\n[[routes]]\nescalation = 'home'",
            "escalations.home leaves hours in which nobody would hear of a critical incident at once: mon-sun 22:30-06:30",
        ),
        (
            "[people.day]\ncontacts = ['email:x@example.org']\nquiet_hours = '07:00-19:00'\n"
            "[escalations.home]\nhours = '08:00-18:00'\nsteps = [{ notify = 'day' }]\n[[routes]]\nescalation = 'home'",
            "escalations.home.hours are all within the quiet hours of day",
        ),
        (
            "[people.ny]\ncontacts = ['email:x@example.org']\nquiet_hours = '22:00-06:00'\ntimezone = 'America/New_York'\n"
            "[schedules.s]\nweek = [{ days = 'sat sun', who = ['ny'] }]\notherwise = 'owner'\n"
            "[escalations.home]\nsteps = [{ notify = '@s' }]\n[[routes]]\nescalation = 'home'",
            "escalations.home leaves hours in which nobody would hear of a critical incident at once: sat-sun 03:00-11:00",
        ),
        (
            "quiet_hours = '22:30-06:30'\n[schedules.s]\nweek = [{ days = 'mon-fri', who = 'owner' }]\n"
            "[escalations.home]\nsteps = [{ notify = '@s' }]\n[[routes]]\nescalation = 'home'",
            "escalations.home leaves hours in which nobody would hear of a critical incident at once: mon-sun 22:30-06:30",
        ),
    ],
)
def test_what_is_probably_not_meant_is_named(text, doubt):
    """Each with its key and a remedy; the policy can be used all the same."""
    found = [f"{key} {each}" for key, each in doubts(parse(PERSON + text), NOW)]
    assert any(each.startswith(doubt) for each in found), found


def test_routes_that_are_reached_are_not_doubted():
    """Another event, another device, no device, or less severe ones than the route before takes."""
    routes = ("event = 'a'\nmin_severity = 'critical'", "event = 'a'\ndevice = 'x'", "event = 'a'", "device = '*'")
    tables = "".join(f"[[routes]]\n{each}\nescalation = 'everyone'\n" for each in routes)
    assert list(doubts(parse(f"{PERSON}{tables}[[routes]]\nescalation = 'everyone'"), NOW)) == []


def test_a_sensible_policy_has_no_doubts():
    """Somebody hears at every hour, and everything is reached."""
    assert list(doubts(parse(WHOLE), NOW)) == []
    everyone = parse(f"{PERSON}quiet_hours = '22:00-06:00'")
    [(key, text)] = doubts(everyone, NOW)
    assert (key, "mon-sun 22:00-06:00" in text) == ("people", True)


@pytest.mark.parametrize(
    ("secrets", "doubt"),
    [
        (
            {},
            "is in $CONTACT_MUELLER, which isn't set, so nobody is told by it: set CONTACT_MUELLER in .env and reload",
        ),
        ({"CONTACT_MUELLER": "hunter2"}, "is in $CONTACT_MUELLER, whose value is no address of email: correct it"),
        ({"CONTACT_MUELLER": "m@example.org"}, None),
    ],
)
def test_a_secret_stays_one_and_is_missed(secrets, doubt):
    """The policy holds its name, and what is missing or wrong is told without the value."""
    around = Surroundings(secrets=secrets)
    policy = parse(WHOLE, around)
    found = dict(unreachable(policy, around))
    assert found == ({'people."Frau Müller".contacts[1]': doubt} if doubt else {})
    [contact] = policy.people["Frau Müller"].contacts
    assert (contact.shown, contact.secret) == ("email:$CONTACT_MUELLER", "CONTACT_MUELLER")
    assert contact.resolve(secrets) == secrets.get("CONTACT_MUELLER")
    assert policy.people["owner"].contacts[0].shown == "email:o***@example.org"
    assert "owner@" not in repr(policy)
    assert "hunter2" not in repr(policy) + repr(around)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("<script>alert(1)</script>", True),
        ("O'Brien & Söhne", True),
        ("آرش", True),
        ("own\\u202Eer", False),
        ("own\\u0007er", False),
        ("own\\ner", False),
        ("\\u200B", False),
        ("x" * 65, False),
    ],
)
def test_names_can_be_seen_as_they_are(name, allowed):
    """Markup is text like any other; what controls or reorders other text is refused."""
    text = f'[people."{name}"]\ncontacts = ["email:a@example.org"]\n'
    if allowed:
        assert list(parse(text).people) == [name]
    else:
        [problem] = problems(text)
        assert "name" in problem


MANY = "".join(f'[people.p{number}]\ncontacts = ["email:p{number}@example.org"]\n' for number in range(10_000))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"#" * 10_000_000, "has more than the 1,000,000 bytes"),
        (MANY.encode(), "people has too many entries: at most 1,000 are allowed"),
        (b'[people.owner]\ncontacts = ["email:\xff@example.org"]', "isn't UTF-8 (byte 35)"),
        (b"a = " + b"[" * 50_000, "the file isn't TOML"),
        (b"\x00", "the file isn't TOML"),
        (b"[people.owner]\n" * 2, "stands there twice"),
        (b"# a number\nx = " + b"9" * 5_000, "line 2 has a number of more than 1,000 digits"),
        (b'x = """\n\n"""\n' + b"a." * 400_000 + b"a = 1", "line 4 has a key of more than 20 parts"),
        (b"[" + b"a . " * 200_000 + b"a]", "line 1 has a key of more than 20 parts"),
        (b'[[routes]]\nescalation = "everyone"\nwait = "999999999d999999999d"', "wait is longer than 366 days"),
        (b"k" * 900_000 + b" = 1", 'kkk…" is unknown'),
        (b'["a\xe2\x80\xae' + b"k" * 900_000 + b'"]', 'kkk…" is unknown'),
    ],
    ids=[
        "10 MB",
        "10,000 people",
        "not UTF-8",
        "deep",
        "binary",
        "twice",
        "5,000 digits",
        "400,000 dots",
        "200,000 dots in a table's name",
        "two million years",
        "a long key",
        "a long name",
    ],
)
def test_a_hostile_file_is_refused(tmp_path, content, problem):
    """With one problem, and quickly."""
    path = tmp_path / "alertgate.toml"
    path.write_bytes(content)
    file = read_file(path)
    assert file.state is FileState.INVALID
    [found] = file.problems
    assert problem in found
    assert len(found) <= LONGEST_PROBLEM


@pytest.mark.parametrize(
    "text",
    [
        f'[[events]]\nevent = "{"a." * 120}*"',
        f"# {'.' * 2_000} {'9' * 5_000}",
        f"""[[events]]\nevent = '{"." * 100}'  # {"'." * 100}""",
        f'[people."{"a." * 25}"]\ncontacts = ["email:a@example.org"]',
        f'[[events]]\nevent = """{"." * 30}\\"""x"""\nkey = "data"',
        "people.a.contacts = ['email:a@example.org']",
    ],
)
def test_dots_and_digits_of_texts_and_comments_are_no_keys(text):
    """What is bounded are keys and numbers."""
    parse(text)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (
            '[routes]\nescalation = "everyone"\n[[routes]]\nescalation = "everyone"',
            "write [[routes]] with two brackets",
        ),
        ('[[routes]]\nescalation = "everyone"\n [routes]', "write [[routes]] with two brackets each time"),
        ("[events]\n[events]", "write [[events]] with two brackets each time"),
        ("[people.partner\ncontacts = []", "close the bracket"),
        ("[people.frau meier]", 'needs quotes, as in [people."frau meier"]'),
        ("[[routes]\n", "close both brackets"),
        ('[escalations.a]\nsteps = [{ notify = ["a"]\n]', "a comma or the closing } is missing"),
        ('[escalations.a]\nsteps = [\n{ notify = ["a"],\nafter = "1m" }]', "must end in the same line"),
        ('steps = [{ notify = ["a"] }\n', "a comma or the closing ] is missing"),
        ('timezone = "Europe/Berlin', "the closing quote is missing"),
        ('timezone = "Europe/Berlin\n', "the closing quote is missing"),
        ("müller = 1", "a key with a blank or an umlaut needs quotes"),
        ("= 1", "write KEY = VALUE"),
        (r'x = "\d"', r"write \\ for a backslash"),
        ("wait = 10m", 'texts, times and durations need quotes, as in event = "door/*" or wait = "10m"'),
        ("hours = 22:30-06:30", "times and durations need quotes"),
        ("\ufefftimezone = 1", "save it as UTF-8 without one"),
    ],
)
def test_a_mistake_of_form_has_a_remedy_that_fits(text, remedy):
    """The commonest ones; following the remedy of another one would break the file further."""
    [problem] = problems(text)
    assert remedy in problem


def test_whatever_goes_wrong_is_a_problem_of_the_file(tmp_path):
    """A file that alertgate itself fails at doesn't end the start of a service that has a good policy."""

    def check(address: str) -> None:
        raise RecursionError(address)

    (tmp_path / "a.toml").write_text('[people.owner]\ncontacts = ["email:owner@example.org"]')
    file = read_file(tmp_path / "a.toml", Surroundings(channels={ChannelName.EMAIL: check}))
    assert file.state is FileState.INVALID
    [problem] = file.problems
    assert problem.startswith("the file can't be read, because alertgate fails at it (RecursionError): undo what")


def test_a_thousand_problems_are_some():
    """Those that somebody reads."""
    steps = ", ".join(f'{{ notify = "nobody{number}" }}' for number in range(100))
    found = problems("".join(f"[escalations.e{number}]\nsteps = [{steps}]\n" for number in range(90)))
    assert (len(found), found[-1]) == (51, "(and more problems)")


@pytest.mark.parametrize(
    ("settings", "file", "zones", "doubt"),
    [
        (None, "", ("UTC", "UTC"), None),
        (None, "Europe/Berlin", ("Europe/Berlin", "Europe/Berlin"), None),
        ("Asia/Tokyo", "", ("Asia/Tokyo", "Asia/Tokyo"), None),
        ("Asia/Tokyo", "Europe/Berlin", ("Europe/Berlin", "Asia/Tokyo"), "TIMEZONE or TZ says Asia/Tokyo"),
        ("Europe/London", "Europe/Lisbon", ("Europe/Lisbon", "Europe/London"), None),
        ("Africa/Lagos", "Europe/Berlin", ("Europe/Berlin", "Africa/Lagos"), "TIMEZONE or TZ says Africa/Lagos"),
    ],
)
def test_readers_have_the_zone_of_the_settings_or_else_the_files(settings, file, zones, doubt):
    """Where both are named and their clocks ever differ, that is said: not in winter alone."""
    around = Surroundings(ZoneInfo(settings) if settings else None)
    policy = parse(f'timezone = "{file}"' if file else "", around)
    assert (policy.zone.key, policy.readers_zone.key) == zones
    found = [text for key, text in doubts(policy, NOW) if key == "timezone"]
    assert [doubt in text for text in found] == ([True] if doubt else [])
