"""Facts that need the target interpreter.

`scripts/` is run by the target: standard library and the library under test, nothing of ours.
"""
