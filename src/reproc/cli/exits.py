"""Exit codes."""

DONE = 0
DOES_NOT_HOLD = 1
"""What was checked does not hold: a test, a build, an audit."""
WRONG_CALL = 2
"""The spec or the call is wrong."""
LACKING = 3
"""Something that was asked for is not on this machine, or cannot be reached from it."""
BUG = 70
INTERRUPTED = 130
