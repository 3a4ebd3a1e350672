"""
A twisted.web site that anybody may connect to: its limits, answers, and origins.
"""
