"""
txtokensock beside the JavaScript originals, and beside what others do for the same purpose.
"""
