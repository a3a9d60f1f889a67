"""All routes of the console."""

from alertgate.web.console import (
    devices,
    incident_acts,
    now,
    plots,
    sessions,
    sign_in,
    sign_in_links,
    silences,
    static_files,
)

ROUTERS = (
    static_files.router,
    sign_in.router,
    incident_acts.router,
    now.router,
    sessions.router,
    sign_in_links.router,
    silences.router,
    devices.router,
    plots.router,
)
