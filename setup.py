"""For tools that look for it; all about the package is in ``pyproject.toml``."""

from setuptools import setup

setup()
