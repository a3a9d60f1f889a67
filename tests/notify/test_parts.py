"""The ids of a digest's parts."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from alertgate.ids import new_id
from alertgate.notify.parts import is_part, part_ids
from tests.builders import for_any
from tests.fakes import START


@for_any
@given(st.integers(2, 2000))
def test_a_digest_is_halved_until_its_members_are_alone(number: int):
    """Each step has two parts of about the same size, the same each time; a part's id is told from a digest's."""
    digest, members = new_id(START), [str(each) for each in range(number)]
    assert not is_part(digest)
    assert not is_part(None)
    for _ in range(11):
        parts = part_ids(digest, members)
        assert parts == part_ids(digest, members)
        assert all(is_part(each) and UUID(each).version == 8 and len(each) == 36 for each in parts.values())
        digest = parts[members[-1]]
        smaller = [each for each in members if parts[each] == digest]
        assert 0 < len(smaller) <= (len(members) + 1) // 2
        members = smaller
    assert len(members) == 1
