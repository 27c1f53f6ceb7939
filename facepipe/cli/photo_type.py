"""What may stand where a photo is asked for: a path, an address of the web or of a file, ``-`` for standard input."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from click.shell_completion import CompletionItem

from facepipe.files.stored import as_path, is_stored


class PhotoType(click.ParamType):
    """A path, or what stands for one; nothing is read or fetched yet."""

    name = "photo"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """A path; of ``http(s)://`` and ``-`` a `facepipe.images.RemotePhoto`, of stores a `StoredPath`."""
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
            self.fail(f"{text}: a file of another machine ({parts.netloc}); give a path of this one.", param, ctx)
        from urllib.request import url2pathname  # it brings http.client

        return url2pathname(parts.path)


class MediaType(click.types.StringParamType):
    """A text that is nearly always a path: that of a photo, a folder or a video."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str  # noqa: ARG002
    ) -> list[CompletionItem]:
        """Files and folders."""
        return _files(incomplete)


class StoredType(click.Path):
    """A path, or the address of a file or folder of a store, such as ``s3://bucket/faces``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """A path or a `facepipe.files.stored.StoredPath`."""
        return value if isinstance(value, Path) else as_path(str(value))


class OutputType(click.Path):
    """A path of this machine to write to."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As of `click.Path`; addresses are refused, of which a folder would be made otherwise."""
        if is_stored(str(value)):
            self.fail(f"{value}: this can be written on this machine only; give a path.", param, ctx)
        return super().convert(value, param, ctx)


def _files(incomplete: str) -> list[CompletionItem]:
    """What makes a shell complete paths."""
    return [CompletionItem(incomplete, type="file")]


PHOTO = PhotoType()
MEDIA = MediaType()
STORED = StoredType(path_type=Path)
STORED_OUTPUT = StoredType(path_type=Path)
OUTPUT = OutputType(path_type=Path)
