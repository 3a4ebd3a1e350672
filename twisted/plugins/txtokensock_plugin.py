"""Makes ``twistd tokensock`` known."""

from twisted.application.service import ServiceMaker

tokensock = ServiceMaker(
    "txtokensock",
    "txtokensock.tap",
    "A token-sockjs server, and bridges between one and the rest of the house.",
    "tokensock",
)
