"""All routes of the console."""

from fastapi import APIRouter

from alertgate.web.console import alerts, export, failures, incident_acts, incidents, now, sign_in, static_files

ROUTERS: tuple[APIRouter, ...] = (static_files.router, sign_in.router, now.router, incident_acts.router)
ROUTERS += (incidents.router, export.router, failures.router, alerts.router)
