"""
A twisted.web site for strangers: bounds, answers, origins.
"""
