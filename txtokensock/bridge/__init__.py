"""
The bridge: one TokenSocket upstream, and everything else in the house around it.

Each neighbour is a :class:`~.side.Side`: WAMP, HTTP in, HTTP out.  Sides know the
upstream :class:`~txtokensock.TokenSocket`, never each other.
"""
