"""The HTTP surface; no decisions."""
