"""What enemies send, and what nobody may see."""
