"""compose.yaml with its own PostgreSQL and two replicas, one of which is killed."""

from collections.abc import Callable

import pytest

from tests_deploy.conftest import measured
from tests_deploy.mail import Mail
from tests_deploy.stack import CALLERS, NAME, Stack, both, call, podman, wait_for
from tests_deploy.test_stack import _all_arrive
from tests_deploy.traffic import Fleet


@pytest.fixture(scope="module")
def stack(stacks: Callable[..., Stack]) -> Stack:
    """Two replicas behind one Traefik, on one PostgreSQL."""
    return stacks(profiles="traefik,postgres", replicas=2)


def test_both_replicas_serve(stack: Stack, mail: Mail):
    """Requests reach each of them, and each alert is told once, whichever took it."""
    for number in range(6):
        assert stack.particle(f"replicas/{number}", device=f"{number:024x}").status == 202
    for number in range(6):
        wait_for(lambda number=number: mail.about(f"replicas/{number}"))
        assert len(mail.about(f"replicas/{number}")) == 1
    for name in stack.containers():
        assert '"store": "postgresql"' in both(name)
        assert '"/webhook/particle"' in both(name)


def test_the_database_is_reached_by_its_own_network_alone(stack: Stack):
    """PostgreSQL publishes no port, and is not on the network that Traefik is on."""
    name = f"{NAME}_postgres_1"
    assert podman("port", name) == ""
    networks = podman("inspect", "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}", name)
    assert networks.split() == [f"{NAME}_database"], stack


def test_a_killed_replica_loses_nothing(stack: Stack, mail: Mail):
    """SIGKILL with mails half sent and a fleet sending: the other one goes on and takes over what was left."""
    victim, survivor = stack.containers()
    mail.hold()
    try:
        with Fleet(stack, "replicas/kill", CALLERS[0]) as fleet:
            mail.wait_until_held()
            wait_for(lambda: len(fleet.accepted) > 10)
            podman("kill", victim)
            killed = len(fleet.accepted)
            wait_for(lambda: len(fleet.accepted) > killed + 15)
            podman("start", victim, check=False)  # the restart policy may have been faster
            wait_for(lambda: len(fleet.accepted) > killed + 40)
    finally:
        mail.release()
    refused = f"{len(fleet.refused)} of {len(fleet.answers)} {fleet.refused or ''}"
    measured["answers other than 202 while a replica was killed and came back"] = refused
    _all_arrive(fleet, mail)
    assert podman("inspect", "--format", "{{.State.Status}}", survivor).strip() == "running"


def test_the_database_may_restart(stack: Stack, mail: Mail):
    """While it is away callers get 503, nothing is answered 202 that isn't stored; afterwards all goes on by itself."""
    with Fleet(stack, "replicas/database", CALLERS[1]) as fleet:
        wait_for(lambda: len(fleet.accepted) > 5)
        podman("restart", "--time", "30", f"{NAME}_postgres_1")
        before = len(fleet.accepted)
        wait_for(lambda: len(fleet.accepted) > before + 10, within=60)
    _all_arrive(fleet, mail)
    assert wait_for(lambda: call("/health").status == 200)
