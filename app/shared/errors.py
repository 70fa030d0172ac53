"""What whoever runs a command can put right."""


class UserError(Exception):
    """Something is not as it should be; the message says what was wrong and what would be right."""
