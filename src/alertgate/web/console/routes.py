"""All routes of the console."""

from alertgate.web.console import incident_acts, now, sign_in, static_files

ROUTERS = (static_files.router, sign_in.router, now.router, incident_acts.router)
