"""
The bridge: one TokenSocket upstream, for neighbours that speak WAMP or HTTP.

Each neighbour is a :class:`~.side.Side`: WAMP, HTTP in, HTTP out.  Sides know the
upstream :class:`~txtokensock.TokenSocket`, never each other.
"""
