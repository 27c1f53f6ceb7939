"""Parameter types for photos: a path, a web or file URL, or ``-`` for standard input."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from click.shell_completion import CompletionItem

from facepipe.files.stored import as_path, is_stored


class PhotoType(click.ParamType):
    """A path or a substitute for one; nothing is read or fetched yet."""

    name = "photo"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """A path; for ``http(s)://`` and ``-`` a `facepipe.images.RemotePhoto`, for stores a `StoredPath`."""
        if isinstance(value, Path):
            return value
        text = str(value)
        if text.lower().startswith("file://"):
            return Path(self._local(text, param, ctx))
        if text == "-" or text.lower().startswith(("http://", "https://")):
            from facepipe.images.remote import STDIN, RemotePhoto

            return RemotePhoto(STDIN if text == "-" else text)
        return as_path(text)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str  # noqa: ARG002
    ) -> list[CompletionItem]:
        """Files and folders."""
        return _files(incomplete)

    def _local(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            self.fail(f"{text}: a file on another machine ({parts.netloc}); give a path on this one.", param, ctx)
        from urllib.request import url2pathname  # imports http.client

        return url2pathname(parts.path)


class MediaType(click.types.StringParamType):
    """A text that is nearly always the path of a photo, folder or video."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str  # noqa: ARG002
    ) -> list[CompletionItem]:
        """Files and folders."""
        return _files(incomplete)


class StoredType(click.Path):
    """A path, or the URL of a file or folder in a store, such as ``s3://bucket/faces``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """A path or a `facepipe.files.stored.StoredPath`."""
        return value if isinstance(value, Path) else as_path(str(value))


class OutputType(click.Path):
    """An output path on this machine."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Like `click.Path`, rejecting URLs, which would otherwise become folder names."""
        if is_stored(str(value)):
            self.fail(f"{value}: can only be written on this machine; give a path.", param, ctx)
        return super().convert(value, param, ctx)


def _files(incomplete: str) -> list[CompletionItem]:
    """Make the shell complete paths."""
    return [CompletionItem(incomplete, type="file")]


PHOTO = PhotoType()
MEDIA = MediaType()
STORED = StoredType(path_type=Path)
STORED_OUTPUT = StoredType(path_type=Path)
OUTPUT = OutputType(path_type=Path)
