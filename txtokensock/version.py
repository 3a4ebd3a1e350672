"""The version of this package, which ``pyproject.toml`` names as well."""

__all__ = ["__version__"]

__version__ = "0.1.0"
