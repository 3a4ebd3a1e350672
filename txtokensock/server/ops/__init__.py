"""
For those who run a server: what it does in numbers, whether it is ready, and pages that say so.
"""
