"""Attacks on a running alertgate, with an oracle: what was answered 2xx is kept and told, whatever dies in between.

`python -m torture` runs every fault and prints a table; docs/reliability.md says what each one does.
"""
