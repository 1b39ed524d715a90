"""What the library refuses, by kind; the words are the library's."""


class Error(Exception):
    """Any error of warpface's."""


class FileError(Error, OSError):
    """The system refused a file operation."""


class FileMissing(FileError, FileNotFoundError):
    """A file is not there."""


class DataError(Error, ValueError):
    """A file's content makes no sense."""


class UsageError(Error, ValueError):
    """An argument makes no sense."""


class DeviceError(Error, RuntimeError):
    """A device is absent, closed, or failed."""


class OutOfMemory(Error, MemoryError):
    """There is too little memory."""


class CommandError(Error, RuntimeError):
    """A command failed: its message, and in `code` its exit code."""

    code: int = 1
