"""
Where servers keep what they share: tokens, and the traffic of channels.
"""
