"""Runs the command as ``python -m txtokensock.cli``, where no script is installed."""

from . import main

main()
