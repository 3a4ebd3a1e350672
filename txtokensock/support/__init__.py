"""
What every room needs: checks of options, timers, deadlines, back-off, patterns, old names.
"""
