"""Tools for maintaining the project; they aren't installed."""
