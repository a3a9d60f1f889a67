"""All routes of the console."""

from alertgate.web.console import channels, now, sign_in, silences, static_files

ROUTERS = (static_files.router, sign_in.router, now.router, silences.router, channels.router)
