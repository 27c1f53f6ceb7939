"""Errors for users. Each message names the file at fault and what to do about it."""


class FacepipeError(Exception):
    """Base of all errors that facepipe raises; the command line prints its message as one line and exits with 2."""


class ImageError(FacepipeError):
    """An image file is missing, damaged, of an unsupported format or too large.

    Attributes:
        mark: fingerprint of the file when it was read, a `facepipe.files.Mark`, if requested.
    """

    mark: object = None


class NoFaceError(FacepipeError):
    """No face was found where one is needed."""


class ModelError(FacepipeError):
    """A model is unknown, not in the cache, damaged, or does not fit its card."""


class DatasetError(FacepipeError):
    """A dataset, pairs list or manifest is missing, malformed or inconsistent."""


class EmbeddingsError(FacepipeError):
    """Embeddings are malformed or come from different models."""


class DeviceError(FacepipeError):
    """The requested device or precision is not available."""


class MissingExtraError(FacepipeError):
    """An optional package is needed: the message names the extra to install."""


class Ended(KeyboardInterrupt):
    """The process received SIGTERM or SIGHUP; partial output must not be taken for complete."""
