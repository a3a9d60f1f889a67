"""Whether this is a container."""

import pytest

from alertgate.container import MARKS, in_container


@pytest.mark.parametrize("mark", MARKS)
def test_a_container_is_known_by_a_file(tmp_path, mark):
    """Docker and Podman leave one."""
    assert in_container(tmp_path, {}) is False
    (tmp_path / mark).parent.mkdir(exist_ok=True)
    (tmp_path / mark).touch()
    assert in_container(tmp_path, {}) is True


def test_a_pod_is_known_by_its_environment(tmp_path):
    """Kubernetes leaves no file."""
    assert in_container(tmp_path, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) is True
