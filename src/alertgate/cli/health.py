"""`alertgate healthcheck`. Containers run it every few seconds, so it imports as little as possible."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from alertgate.config import Settings
from alertgate.settings_load import DEFAULT_ENV_FILE, load

WITHIN = 4.0
"""Seconds for the whole answer."""
MOST_BYTES = 65_536
"""Of an answer; a real one has less than one kB."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def healthcheck(
    url: Annotated[str | None, typer.Option(help="The service's URL. Default: HOST and PORT of the settings.")] = None,
    env_file: Annotated[Path, typer.Option("--env-file", help="The file to read settings from.")] = DEFAULT_ENV_FILE,
) -> None:
    """Exit with 0 when the running service can store alerts. Meant for containers, which have no curl."""
    import httpx  # noqa: PLC0415  (`serve` imports this module too, and needs no HTTP client)

    from alertgate.outbound import Answer, ask  # noqa: PLC0415

    async def health() -> Answer:
        # Without the environment's proxies, which a call to one's own machine must not go through.
        transport = httpx.AsyncHTTPTransport(verify=target.lower().startswith("https:"), trust_env=False)
        async with httpx.AsyncClient(transport=transport, timeout=WITHIN) as client:
            return await ask(client, "GET", target, within=WITHIN, most=MOST_BYTES)

    target = (url or local_url(load(env_file))).rstrip("/") + "/health"
    try:
        answer = asyncio.run(health())
    except httpx.InvalidURL as error:
        raise typer.BadParameter(f"{error}; write a URL like http://127.0.0.1:8000", param_hint="--url") from None
    except httpx.HTTPError as error:
        typer.echo(f"no answer from {target}: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(answer.body.decode(errors="replace"))
    if answer.status != httpx.codes.OK:
        raise typer.Exit(1)


def local_url(settings: Settings) -> str:
    """Return the service's URL on this machine, from HOST and PORT."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
