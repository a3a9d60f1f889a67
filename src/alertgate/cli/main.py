"""The commands."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import structlog
import typer

from alertgate import __version__
from alertgate.characters import escaped
from alertgate.cli import check as checks
from alertgate.cli import database, policy
from alertgate.cli.database import EnvFile
from alertgate.cli.devices import devices
from alertgate.cli.explain import explain
from alertgate.cli.failures import dismiss, failures, retry
from alertgate.cli.health import healthcheck, local_url
from alertgate.cli.incidents import ack, hand_back, list_incidents, resolve, snooze
from alertgate.cli.init import write_env
from alertgate.cli.reload import reload
from alertgate.cli.send_test import send_test
from alertgate.cli.silences import silence, silences, unsilence
from alertgate.cli.template import VITALS, particle_template, public_address
from alertgate.cli.who import who
from alertgate.clock import SystemClock
from alertgate.config import Settings
from alertgate.errors import AlertgateError, ConfigError
from alertgate.ids import new_id
from alertgate.notify.channels.base import Level
from alertgate.notify.channels.registry import surroundings
from alertgate.policy.keeper import problems
from alertgate.policy.load import read_file
from alertgate.settings_load import DEFAULT_ENV_FILE, contact_secrets, doubts, load
from alertgate.telemetry import configure_logging
from alertgate.web.signals import Signals

log = structlog.stdlib.get_logger("alertgate")
app = typer.Typer(
    help="From a Particle webhook to the person who must act.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(healthcheck)
app.command("list")(list_incidents)
app.command()(ack)
app.command()(snooze)
app.command("hand-back")(hand_back)
app.command()(resolve)
app.command()(failures)
app.command()(retry)
app.command()(dismiss)
app.command()(silence)
app.command()(silences)
app.command()(unsilence)
app.command()(devices)
app.add_typer(policy.app, name="policy")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alertgate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


_FIRST_STEPS = """
alertgate listens on {url} (API: {url}/docs).{console}

Raise the first alert from another terminal, in this directory:

  curl -i {url}/webhook/particle \\
    -H "Authorization: Bearer $(sed -n 's/^PARTICLE_WEBHOOK_SECRET=//p' .env)" \\
    -d event=alarm/leak -d data=wet -d coreid=3f002b000000000000000000
"""
_CONSOLE = """
Open it in a browser on this machine: the console shows what comes in. Sign in with the API_TOKEN that this prints:

  sed -n 's/^API_TOKEN=//p' .env"""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Instead of HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Instead of PORT; 0 takes a free one.")] = None,
    env_file: EnvFile = DEFAULT_ENV_FILE,
    first_steps: Annotated[bool, typer.Option("--first-steps", help="Print a curl that raises an alert.")] = False,
) -> None:
    """Serve webhooks and deliver notifications, until SIGTERM, SIGQUIT or Ctrl-C."""
    signals = Signals()  # before the policy is read: what is asked for from now on is done
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load(env_file, **given)
    configure_logging(settings.log_level, settings.log_format)
    for doubt in doubts(env_file):
        log.warning("settings.doubtful", detail=doubt.text, what=doubt.name)
    from alertgate.cli.serving import run  # noqa: PLC0415  (the web's libraries, which no other command needs)

    if not run(settings, env_file, signals, on_listening=_first_steps(settings) if first_steps else None):
        sys.exit(1)


def _first_steps(settings: Settings) -> Callable[[str], None] | None:
    """Return what prints how to begin, once the address is known; None without the secret that its curl takes."""
    if settings.particle_webhook_secret is None:
        return None
    console = _CONSOLE if settings.console_enabled and settings.api_token else ""
    return lambda url: typer.echo(_FIRST_STEPS.format(url=url, console=console))


@app.command()
def init(
    env_file: Annotated[Path, typer.Argument(help="The file to write.")] = DEFAULT_ENV_FILE,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="Do nothing if the file exists.")] = False,
) -> None:
    """Write a .env with fresh secrets; never overwrites one."""
    if env_file.exists() and if_missing:
        return
    write_env(env_file)
    typer.echo(
        f"Wrote {env_file} with fresh secrets, readable only by you. Set SMTP_EMAIL in it, and "
        "RECIPIENT_EMAIL, or people in alertgate.toml."
    )


@app.command()
def check(
    env_file: EnvFile = DEFAULT_ENV_FILE,
    offline: Annotated[bool, typer.Option("--offline", help="Don't connect to the mail server.")] = False,
) -> None:
    """Check the settings, the policy, the store, and what the mail server says to each recipient; sends nothing."""
    settings = load(env_file)
    configure_logging("error", "console")
    around = surroundings(settings, contact_secrets(env_file))
    file = read_file(settings.policy_file, around)
    now = SystemClock().now()
    findings = asyncio.run(checks.run(settings, doubts(env_file), file, around, now, offline=offline))
    for finding in findings:
        typer.echo(escaped(str(finding)))
    if any(finding.level is Level.FAIL for finding in findings):
        typer.echo("alertgate can't work like this; fix the findings marked fail.", err=True)
        raise typer.Exit(2 if problems(file, named=settings.must_have_policy) else 1)


app.command("send-test")(send_test)
app.command()(explain)
app.command()(who)
app.command()(reload)


@app.command()
def simulate(
    url: Annotated[str | None, typer.Option(help="The service's URL. Default: HOST and PORT of the settings.")] = None,
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many events.")] = 1,
    rate: Annotated[float, typer.Option(min=0.01, max=10_000, help="Events per second.")] = 10,
    device: Annotated[str, typer.Option(help="The device's id.")] = "3f002b000000000000000000",
    event: Annotated[str, typer.Option(help="The event's name.")] = "alarm/motion",
    data: Annotated[str, typer.Option(help="The event's data.")] = '{"zone": "hall", "battery": 87}',
    form: Annotated[bool, typer.Option("--form", help="Form-encoded, Particle's default, instead of JSON.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask, even if real people are told.")] = False,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """Simulate a Particle device: send events to a running service, and summarise answers and latencies.

    The service tells people of them as of any other alert, so this asks first, unless they go to the outbox.
    """
    from alertgate.cli import simulate as simulation  # noqa: PLC0415  (imports an HTTP client, which `serve` doesn't need)

    settings = load(env_file)
    token = _particle_secret(settings)
    try:
        proxied = url is not None and simulation.goes_through_proxy(url)
        told = simulation.told(policy.directory_of_file(settings, env_file).targets, url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    if told and not yes:
        _ask(count, told)
    run = simulation.Run(
        url=(url or local_url(settings)).rstrip("/") + "/webhook/particle",
        token=token,
        count=count,
        rate=rate,
        device=device,
        event=event,
        data=data,
        form=form,
        proxied=proxied,
    )
    summary = asyncio.run(simulation.simulate(run, SystemClock(), new_id))
    typer.echo(summary.text())
    if summary.failed:
        typer.echo(f"The events went to {run.url}.", err=True)
        if hint := simulation.proxy_hint(run):
            typer.echo(hint, err=True)
        raise typer.Exit(1)


def _ask(count: int, told: str) -> None:
    """Ask whether real people may be told. Raises AlertgateError if nobody can answer, typer.Exit after a no."""
    what = "1 alert tells" if count == 1 else f"{count:,} alerts tell"
    if not sys.stdin.isatty():
        raise AlertgateError(f"Nothing was sent: {what} real people ({told}). Add --yes if that is meant.")
    if not typer.confirm(f"{what} real people ({told}). Send?"):
        typer.echo("Nothing was sent.")
        raise typer.Exit(1)


def _particle_secret(settings: Settings) -> str:
    if settings.particle_webhook_secret is None:
        raise ConfigError(["PARTICLE_WEBHOOK_SECRET isn't set, so there is no token to call the webhook with"])
    return settings.particle_webhook_secret.get_secret_value()


@app.command("particle-template")
def template(
    url: Annotated[str, typer.Option(help="The service's public address, such as https://alerts.example.org.")],
    event: Annotated[str | None, typer.Option(help="The event to forward, or a prefix of its name.")] = None,
    vitals: Annotated[
        bool, typer.Option("--vitals", help="The second webhook instead: what the cloud says of devices themselves.")
    ] = False,
    show_secret: Annotated[bool, typer.Option("--show-secret", help="Include the real token.")] = False,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """Print the webhook to paste into Particle's console (Integrations, Custom template)."""
    try:
        address = public_address(url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    if (event is None) is not vitals:
        raise typer.BadParameter("give --event with an event to forward, or --vitals", param_hint="--event")
    wanted = VITALS if event is None else event
    if not wanted.strip():
        raise typer.BadParameter("Particle needs at least one character", param_hint="--event")
    token = _particle_secret(load(env_file)) if show_secret else "PARTICLE_WEBHOOK_SECRET"
    typer.echo(particle_template(address, wanted, token))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the copy; must not exist.")],
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """Write a consistent copy of the SQLite database, even while a service uses it, and check it."""
    store = database.named(load(env_file))
    with database.explained(env_file):
        rows = store.backup(file)
    counts = ", ".join(f"{table} {rows.get(table, 0):,}" for table in ("alerts", "incidents", "notifications"))
    typer.echo(f"Wrote {file}, {file.stat().st_size:,} bytes, and checked it: {counts}.")


@app.command()
def migrate(env_file: EnvFile = DEFAULT_ENV_FILE) -> None:
    """Upgrade the database's schema to this version; `serve` does it at start."""
    store = database.named(load(env_file))
    store.open(exclusive=False)
    store.close()
    typer.echo(f"The {store.dialect} database has the newest schema.")
