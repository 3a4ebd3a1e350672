"""
Stores: what servers share, in memory or in Redis.
"""
