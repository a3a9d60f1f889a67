"""The console, from its requests to what its pages say."""
