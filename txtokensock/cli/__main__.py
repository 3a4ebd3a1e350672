"""Runs the command by ``python -m txtokensock.cli``, where its script is not installed."""

from . import main

main()
