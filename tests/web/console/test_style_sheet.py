"""The style sheet is whole: a rule that isn't closed would swallow all that follow."""

from alertgate.web.console.pages import static_file


def test_every_rule_is_closed_where_a_section_begins():
    """Sections begin with a comment at the beginning of a line, outside of every rule."""
    depth = 0
    for number, line in enumerate(static_file("console.css").decode().splitlines(), 1):
        assert depth == 0 or not line.startswith("/*"), f"line {number} stands within a rule"
        depth += line.count("{") - line.count("}")
        assert depth >= 0, f"line {number} closes what wasn't opened"
    assert depth == 0
