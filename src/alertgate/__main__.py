"""`python -m alertgate`."""

from alertgate.cli import main

main()
