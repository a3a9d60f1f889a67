"""All routes of the console."""

from alertgate.web.console import (
    channels,
    incident_acts,
    now,
    people,
    sessions,
    sign_in,
    sign_in_links,
    silences,
    static_files,
    who,
)

ROUTERS = (
    static_files.router,
    sign_in.router,
    incident_acts.router,
    now.router,
    sessions.router,
    sign_in_links.router,
    silences.router,
    channels.router,
    people.router,
    who.router,
)
