"""The console's list of devices, sought by a part of an id or a name."""

import pytest
from sqlalchemy import insert

from alertgate.device import DeviceState
from alertgate.store import device_pages
from alertgate.store.device_pages import Place, Shown, Sought
from alertgate.store.device_tables import devices
from alertgate.store.engine import Store
from alertgate.store.rows import AT_ONCE

STATES = list(DeviceState)
FLEET = {f"d{number:05}": STATES[number % len(STATES)] for number in range(AT_ONCE + 200)}
IN_ORDER = sorted(FLEET, key=lambda device: (device_pages.WORST_FIRST.index(FLEET[device]), device))


@pytest.fixture
def fleet(store: Store) -> Store:
    """A store with more devices than one statement takes ids."""
    never = {"flapping": False, "resetting": False, "battery_low": False}
    rows = [{"id": device, "state": state, "events": 1, **never} for device, state in FLEET.items()]
    with store.transaction() as connection:
        connection.execute(insert(devices), rows)
    return store


@pytest.mark.parametrize("number", [0, 3, AT_ONCE, AT_ONCE + 100], ids=["none", "few", "many", "too many"])
@pytest.mark.parametrize("text", ["0007", "nothing"])
def test_pages_have_what_is_named_or_has_the_text_in_its_id(fleet, number, text):
    """The worst first, each once, however many names are meant and wherever a page begins."""
    named = frozenset(list(FLEET)[:number])
    expected = [device for device in IN_ORDER if text in device or device in named]
    found, after = [], None
    while True:
        asked = {"shown": Shown(), "after": after, "limit": 150, "sought": Sought(text, named)}
        page = fleet.read_now(lambda connection, asked=asked: device_pages.worst_first(connection, **asked))
        found += [each.id for each in page]
        if len(page) < 150:
            break
        after = Place(page[-1].state, page[-1].id)
    assert found == expected
