"""The ways to reach a recipient, each behind the Channel protocol."""
