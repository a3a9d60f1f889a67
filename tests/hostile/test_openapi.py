"""schemathesis against a running service: every operation, every check, the same requests each time."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.builders import examples
from tests.conftest import API, PARTICLE, SIGNING
from tests.flow.process import process

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
METRICS = "metrics-token-0123456789abcdef"


async def test_the_service_does_what_its_openapi_document_says(tmp_path):
    """No undocumented status, no answer against its schema, nothing let in without a credential, no 500."""
    secrets = {
        "PARTICLE_WEBHOOK_SECRET": PARTICLE,
        "WEBHOOK_SECRET": SIGNING,
        "API_TOKEN": API,
        "METRICS_TOKEN": METRICS,
    }
    async with process(tmp_path, metrics_token=METRICS, particle_rate_limit="100000/minute") as service:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"http://127.0.0.1:{service.port}/openapi.json", "--max-examples", str(examples(25))),
        ]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=tmp_path,
            env={
                **os.environ,
                **secrets,
                "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "tests.hostile.credentials",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Authentication failed" not in done.stdout
        assert (await service.client.get("/health")).status_code == 200
    assert "Traceback" not in "".join(service.lines)
