"""The channels, each an implementation of the Channel protocol."""
