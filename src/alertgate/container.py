"""Whether alertgate runs in a container, where localhost is the container itself."""

import os
from collections.abc import Mapping
from pathlib import Path

MARKS = (".dockerenv", "run/.containerenv")
"""Files that Docker and Podman put into each container."""


def in_container(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this is a container of Docker, Podman or Kubernetes."""
    return "KUBERNETES_SERVICE_HOST" in environment or any((root / mark).exists() for mark in MARKS)
