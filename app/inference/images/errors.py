"""Errors in image files; each message says what is valid instead."""

from typing import Self

from app.shared.errors import UserError


class ImageError(UserError):
    """The bytes are not a readable image; the message tells the sender why."""

    def alone(self) -> Self:
        """Return the error without its traceback, whose frames would keep whole files in memory."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class UnsupportedImageError(ImageError):
    """The format or its variant is not supported, or the image is an animation in another format than GIF."""


class ImageTooLargeError(ImageError):
    """The image has too many pixels, or so many parts that decoding would take long."""


class DamagedImageError(ImageError):
    """The format is supported, but the file is damaged."""


def damaged(file_format: str, what: str) -> DamagedImageError:
    """Return the error for a damaged file of a format, such as "PNG"."""
    return DamagedImageError(f"The {file_format} image is damaged: {what}.")


def truncated(file_format: str) -> DamagedImageError:
    """Return the error for a truncated file."""
    return damaged(file_format, "it is truncated")


def unreadable_header(file_format: str) -> DamagedImageError:
    """Return the error for a file with an invalid header."""
    return damaged(file_format, "its header cannot be read")
