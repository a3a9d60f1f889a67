"""Stage 4: what happened, and is the gate alive."""
