"""IPv6 callers, through the edge and compose.yaml's network: each keeps its address, and is counted by its network."""

import hashlib
import hmac
import json
import time

from tests_deploy.stack import HOME6, NEIGHBOUR6, Answer, Stack, call, wait_for

BODY = json.dumps({"event": "deploy/ipv6", "message": "Water in the cellar"})


def _post(address: str, *options: str) -> Answer:
    """Post to the generic webhook; slower than the edge's own limit."""
    time.sleep(0.15)
    return call("/webhook/generic", *options, "--data-binary", BODY, address=address)


def test_an_ipv6_caller_keeps_its_address(stack: Stack):
    """Through the published port and the network: the log has it, and not that of a bridge."""
    [name] = call("/health", address=HOME6[0]).all("x-request-id")
    [line] = wait_for(lambda: [one for one in stack.log() if one.get("request_id") == name])
    assert line["client"] == HOME6[0].replace(":0::", "::")


def test_failures_from_an_ipv6_network_keep_no_right_credential_out(stack: Stack):
    """Unsigned posts from changing addresses of one /64 are one caller's; what is right passes from there."""
    statuses = [_post(HOME6[number % len(HOME6)]).status for number in range(24)]
    assert statuses == [401] * 20 + [429] * 4
    assert _post(NEIGHBOUR6).status == 401, "of another network"
    signature = hmac.new(stack.secret("webhook_secret").encode(), BODY.encode(), hashlib.sha256).hexdigest()
    assert _post(HOME6[1], "-H", f"X-Hub-Signature-256: sha256={signature}").status == 202
    assert stack.particle("deploy/ipv6", address=HOME6[2]).status == 202
    bearer = f"Authorization: Bearer {stack.secret('api_token')}"
    assert call("/api/alerts", "-H", bearer, address=HOME6[3]).status == 200
