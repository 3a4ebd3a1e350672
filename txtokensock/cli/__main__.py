"""``python -m txtokensock.cli``."""

from . import main

main()
