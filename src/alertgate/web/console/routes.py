"""All routes of the console."""

from alertgate.web.console import devices, now, sign_in, static_files

ROUTERS = (static_files.router, sign_in.router, now.router, devices.router)
