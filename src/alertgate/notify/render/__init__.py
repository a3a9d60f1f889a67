"""An incident becomes the words that people read."""
