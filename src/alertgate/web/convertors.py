"""What a parameter of a path may be, beyond what Starlette knows; importing this makes it known."""

from starlette.convertors import Convertor, register_url_convertor


class Anything(Convertor[str]):
    """The rest of a path, whatever it is: Starlette's own `path` ends at a line break."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        """Return it as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Return it as it is."""
        return value


ANYTHING = "anything"
register_url_convertor(ANYTHING, Anything())
