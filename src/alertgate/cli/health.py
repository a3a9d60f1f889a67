"""`alertgate healthcheck`, which containers run every few seconds: so it imports next to nothing."""

from pathlib import Path
from typing import Annotated

import typer

from alertgate.config import DEFAULT_ENV_FILE, Settings, load

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def healthcheck(
    url: Annotated[str | None, typer.Option(help="The service; unset: the one that the settings describe.")] = None,
    env_file: Annotated[Path, typer.Option("--env-file", help="Where settings are read from.")] = DEFAULT_ENV_FILE,
) -> None:
    """Exit with 0 when the running service can store alerts: for containers, which have no curl."""
    import httpx  # noqa: PLC0415  (the service, which shares this module, needs no HTTP client to start)

    try:
        answer = httpx.get((url or local_url(load(env_file))).rstrip("/") + "/health", timeout=4)
    except httpx.HTTPError as error:
        typer.echo(f"no answer: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(answer.text)
    if answer.status_code != httpx.codes.OK:
        raise typer.Exit(1)


def local_url(settings: Settings) -> str:
    """Return the address at which this machine reaches the service that the settings describe."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
