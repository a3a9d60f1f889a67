"""What a page of the console costs: as many questions for many rows as for few, and never more than twenty."""

import time

from bench import console, fleet
from torture.books import Books

from alertgate.config import Settings
from tests.conftest import copy_template

MOST = 20


async def asked(settings: Settings, alerts: int, devices: int) -> dict[str, int]:
    """Fill an empty store; return how many statements each page takes, by its path without what is in the store."""
    copy_template(settings)
    url = settings.database_url
    place = url.get_secret_value().replace("+psycopg", "", 1) if url else settings.sqlite_file
    assert place
    fleet.fill(place, time.time(), alerts=alerts, devices=devices)
    async with console.opened_console(settings) as (gate, client):
        await gate.hourly.run()
        pages = console.pages(Books(place))
        return {
            f"{number} {path[:12]}": (await console.measure(client, path, 0)).queries
            for number, path in enumerate(pages)
        }


async def test_every_page_asks_as_much_for_many_rows_as_for_few(make_settings, tmp_path):
    """An installation that grows stays fast: nothing is asked for each row."""
    few = await asked(make_settings(data_dir=tmp_path / "few"), 500, 20)
    many = await asked(make_settings(data_dir=tmp_path / "many"), 5000, 300)
    assert {path: number for path, number in many.items() if number > few[path]} == {}


async def test_no_page_asks_more_than_twenty_questions(make_settings, database):
    """On both databases, with what a month leaves behind."""
    found = await asked(make_settings(**database), 1000, 50)
    assert max(found.values()) <= MOST, found
