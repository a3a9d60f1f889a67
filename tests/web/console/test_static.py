"""The console's own files: kept by browsers, and what a phone needs to install it."""

import json
import struct

import pytest

from alertgate.web.console.pages import static_file, static_url
from tests.conftest import Running


async def test_a_file_is_kept_for_ever_by_its_digest_and_for_a_day_without(service: Running):
    """A new version is a new address; the manifest names the icons without one.

    One of another version's address, which a replica was asked for that has this one still or already, isn't kept.
    """
    for path, kept in (
        (static_url("console.css"), "max-age=31536000, immutable"),
        ("/static/icon.svg", "max-age=86400"),
    ):
        answer = await service.client.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, f"public, {kept}")
    assert (await service.client.get("/static/console.css?v=other")).headers["cache-control"] == "no-store"
    assert (await service.client.get("/static/..%2fpages.py")).status_code == 404


@pytest.mark.parametrize("each", json.loads(static_file("manifest.webmanifest"))["icons"], ids=lambda each: each["src"])
async def test_each_icon_of_the_manifest_is_there_in_its_size(service: Running, each: dict[str, str]):
    """A phone installs the console only with icons of these sizes."""
    answer = await service.client.get(f"/static/{each['src']}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, each["type"])
    if each["type"] == "image/png":
        width, height = struct.unpack(">II", answer.content[16:24])
        assert each["sizes"] == f"{width}x{height}"
        assert len(answer.content) < 15_000
