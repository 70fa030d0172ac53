"""What can be wrong with an image file. Each message says what would be right."""

from typing import Self

from app.shared.errors import UserError


class ImageError(UserError):
    """The bytes are not an image that can be read; the message says why, for the sender."""

    def alone(self) -> Self:
        """Return it without the frames that it came through, for who keeps it: their variables hold whole files."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class UnsupportedImageError(ImageError):
    """A format that is not read, a rare kind of one that is, or an animation in a format for still pictures."""


class ImageTooLargeError(ImageError):
    """More pixels than are accepted, or so many parts that decoding them would take long."""


class DamagedImageError(ImageError):
    """The right format, but its pixels cannot be decoded."""


def damaged(file_format: str, what: str) -> DamagedImageError:
    """Return the error for a file of a format, such as "PNG", in which something is wrong."""
    return DamagedImageError(f"The {file_format} image is damaged: {what}.")


def cut_off(file_format: str) -> DamagedImageError:
    """Return the error for a file that ends too early."""
    return damaged(file_format, "it is cut off")


def unreadable_header(file_format: str) -> DamagedImageError:
    """Return the error for a file whose header makes no sense."""
    return damaged(file_format, "its header cannot be read")
