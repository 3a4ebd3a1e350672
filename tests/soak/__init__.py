"""
The soak: a client over a network and a server that fail all the time.

``make soak`` runs it, ``docs/soak.rst`` says what it shows.  pytest collects only the tests
of its judges.
"""
