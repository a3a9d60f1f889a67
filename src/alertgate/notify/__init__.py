"""Stage 3: incidents become delivered messages."""
