"""All routes of the console."""

from fastapi import APIRouter

from alertgate.web.console import (
    alerts,
    export,
    failures,
    incident_acts,
    incidents,
    now,
    sessions,
    sign_in,
    sign_in_links,
    silences,
    static_files,
)

ROUTERS: tuple[APIRouter, ...] = (
    static_files.router,
    sign_in.router,
    incident_acts.router,
    now.router,
    sessions.router,
    sign_in_links.router,
    silences.router,
    incidents.router,
    export.router,
    failures.router,
    alerts.router,
)
