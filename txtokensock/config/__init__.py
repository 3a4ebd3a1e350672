"""
Configuration files: TOML into typed, frozen structs, or a list of what is wrong and where.

What ``serve`` and ``bridge`` share; each has its own sections.
"""
