"""Benchmarks of alertgate against its alternatives; docs/benchmarks.md has the figures."""
