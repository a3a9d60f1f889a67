"""All routes of the console."""

from alertgate.web.console import (
    alerts,
    channels,
    devices,
    export,
    failures,
    incident_acts,
    incidents,
    live,
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
    alerts.router,
    channels.router,
    devices.router,
    export.router,
    failures.router,
    incident_acts.router,
    incidents.router,
    live.router,
    now.router,
    plots.router,
    sessions.router,
    sign_in_links.router,
    silences.router,
)
