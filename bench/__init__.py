"""Measures alertgate against what its users would pick instead; docs/benchmarks.md has the figures."""
