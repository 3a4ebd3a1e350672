"""
Servers that share a Redis with sentinels, some thousand peers, and what happens when parts of it
are killed: ``make scale``, see ``docs/scaling.rst``.
"""
