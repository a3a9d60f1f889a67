"""Stage 1: a webhook becomes a durable alert."""
