"""What devices are called: by the policy first, then by DEVICES, then by the API."""

from alertgate.policy.device_names import DeviceNames
from alertgate.policy.load import parse
from alertgate.policy.policy import Policy

DOOR, LEAK, SHED = (f"3f002b00000000000000000{number}" for number in (1, 2, 3))
POLICY = parse(f'[devices."{DOOR.upper()}"]\nname = "Front door"\n[devices."{LEAK}"]\nbattery = 20')
SETTINGS = {DOOR: "Door of the settings", LEAK: "Cellar"}
GIVEN = {DOOR: "Door of the API", LEAK: "Leak of the API", SHED: "Shed"}


def test_the_policy_names_first_then_the_settings_then_the_api():
    """Case doesn't matter in an id; what has no name has none."""
    names = DeviceNames.of_policy(POLICY, SETTINGS, GIVEN)
    given = (DOOR, DOOR.upper(), LEAK, SHED, SHED.upper(), "another", "", None)
    named = ["Front door", "Front door", "Cellar", "Shed", "Shed", None, None, None]
    assert [names(device) for device in given] == named


def test_a_device_is_found_by_id_or_name():
    """A name that another one hides is none; what isn't known may be either."""
    names = DeviceNames.of_policy(POLICY, SETTINGS, GIVEN)
    assert names.find("FRONT DOOR") == (DOOR, "Front door")
    assert names.find(LEAK) == (LEAK, "Cellar")
    assert names.find("shed") == (SHED, "Shed")
    assert names.find("Door of the API") == ("Door of the API", "Door of the API")
    assert names.find(None) == (None, None)


def test_a_new_policy_names_at_once():
    """The names of a policy are looked up once, for as long as it is in force."""
    policies = [Policy(), POLICY]
    names = DeviceNames(lambda: policies[0], {}, {})
    assert names(DOOR) is None
    policies.pop(0)
    assert names(DOOR) == "Front door"
