"""All routes of the console."""

from alertgate.web.console import live, now, sign_in, static_files

ROUTERS = (static_files.router, sign_in.router, live.router, now.router)
