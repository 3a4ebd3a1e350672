"""
What every room needs once, and no room owns: checks of options, timers, deadlines, quiet logs.
"""
