"""Fault injection for a running alertgate: every alert answered 2xx must be stored and delivered, whatever fails.

`python -m torture` runs every fault and prints a table; docs/reliability.md describes each one.
"""
