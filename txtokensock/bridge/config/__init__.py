"""
The bridge's configuration: TOML into typed, frozen structs, or a list of what is wrong.

One module a section; each has the section's structs and a function ``problems`` that
finds what types alone cannot: values out of range, names used twice, rules in conflict.
"""
