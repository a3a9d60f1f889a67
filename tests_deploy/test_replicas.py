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
    """Each replica gets requests, and each alert becomes one mail, whichever replica accepted it."""
    for number in range(6):
        assert stack.particle(f"replicas/{number}", device=f"{number:024x}").status == 202
    for number in range(6):
        wait_for(lambda number=number: mail.about(f"replicas/{number}"))
        assert len(mail.about(f"replicas/{number}")) == 1
    for name in stack.containers():
        assert '"store": "postgresql"' in both(name)
        assert '"/webhook/particle"' in both(name)


def test_the_database_can_only_be_reached_by_its_own_network(stack: Stack):
    """PostgreSQL publishes no port, and isn't on Traefik's network."""
    name = f"{NAME}_postgres_1"
    assert podman("port", name) == ""
    networks = podman("inspect", "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}", name)
    assert networks.split() == [f"{NAME}_database"], stack


def test_a_killed_replica_loses_nothing(stack: Stack, mail: Mail):
    """SIGKILL with mails half sent and a fleet sending: the other replica keeps serving and sends the rest."""
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


def test_a_restart_of_the_database_loses_nothing(stack: Stack, mail: Mail):
    """The replicas accept alerts again by themselves, and what was answered 202 is sent."""
    with Fleet(stack, "replicas/database", CALLERS[1]) as fleet:
        wait_for(lambda: len(fleet.accepted) > 5)
        podman("restart", "--time", "30", f"{NAME}_postgres_1")
        before = len(fleet.accepted)
        wait_for(lambda: len(fleet.accepted) > before + 10, within=60)
    _all_arrive(fleet, mail)
    assert wait_for(lambda: call("/health").status == 200)
