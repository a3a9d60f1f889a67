"""Stage 2: alerts become incidents."""
