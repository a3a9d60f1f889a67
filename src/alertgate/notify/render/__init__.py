"""Render notifications as messages."""
