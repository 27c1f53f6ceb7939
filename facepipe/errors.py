"""The errors a user can meet. Each message names the file at fault and says what to do next."""


class FacepipeError(Exception):
    """Base of all errors that facepipe raises on purpose; the command line prints it as one line, exit 2."""


class ImageError(FacepipeError):
    """An image file is missing, damaged, foreign or too large.

    Attributes:
        mark: what the file was like when it was read, where that was asked for: a `facepipe.files.Mark`.
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
    """A device or precision that was asked for is not available."""


class MissingExtraError(FacepipeError):
    """An optional package is needed: the message names the extra to install."""


class Ended(KeyboardInterrupt):
    """The process is ended from outside, by SIGTERM or SIGHUP: nothing that is half done may be taken for whole."""
