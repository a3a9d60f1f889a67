"""Stage 3: incidents become delivered notifications."""
