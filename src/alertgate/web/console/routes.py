"""All routes of the console."""

from alertgate.web.console import now, sessions, sign_in, sign_in_links, static_files

ROUTERS = (static_files.router, sign_in.router, sign_in_links.router, sessions.router, now.router)
