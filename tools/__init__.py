"""What maintains the project itself; nothing of it is installed."""
