"""alertgate: from a Particle webhook to the person who must act."""

from importlib.metadata import version

__version__ = version("alertgate")
