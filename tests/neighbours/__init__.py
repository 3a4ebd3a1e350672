"""
Attacks on a real server and a real bridge, one after the other, while an honest client of each
measures what it feels of them: ``make neighbours``, see ``docs/security.rst``.
"""
