"""`alertgate healthcheck`. Containers run it every few seconds, so it imports as little as possible."""

from pathlib import Path
from typing import Annotated

import typer

from alertgate.config import Settings
from alertgate.settings_load import DEFAULT_ENV_FILE, load

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def healthcheck(
    url: Annotated[str | None, typer.Option(help="The service's URL. Default: HOST and PORT of the settings.")] = None,
    env_file: Annotated[Path, typer.Option("--env-file", help="The file to read settings from.")] = DEFAULT_ENV_FILE,
) -> None:
    """Exit with 0 when the running service can store alerts. Meant for containers, which have no curl."""
    import httpx  # noqa: PLC0415  (`serve` imports this module too, and needs no HTTP client)

    try:
        answer = httpx.get((url or local_url(load(env_file))).rstrip("/") + "/health", timeout=4)
    except httpx.HTTPError as error:
        typer.echo(f"no answer: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(answer.text)
    if answer.status_code != httpx.codes.OK:
        raise typer.Exit(1)


def local_url(settings: Settings) -> str:
    """Return the service's URL on this machine, from HOST and PORT."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
