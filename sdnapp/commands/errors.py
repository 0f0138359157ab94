"""How a command fails: one line that says what is wrong and what to do, and exit status 1."""


class CommandError(Exception):
    """Shown to the user as it is, without a traceback."""
