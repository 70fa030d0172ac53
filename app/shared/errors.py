"""Errors that the user of a command can fix."""


class UserError(Exception):
    """Error that the user can fix; the message says what is wrong and what is valid."""
