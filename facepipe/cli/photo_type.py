"""What may stand where a photo is asked for: a path, an address of the web or of a file, ``-`` for standard input."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import click


class PhotoType(click.ParamType):
    """A path, or what stands for one; nothing is read or fetched yet."""

    name = "photo"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """A path; of ``http(s)://`` and ``-`` a `facepipe.images.RemotePhoto`."""
        if isinstance(value, Path):
            return value
        text = str(value)
        if text.lower().startswith("file://"):
            return Path(self._local(text, param, ctx))
        if text == "-" or text.lower().startswith(("http://", "https://")):
            from facepipe.images.remote import STDIN, RemotePhoto

            return RemotePhoto(STDIN if text == "-" else text)
        return Path(text)

    def _local(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            self.fail(f"{text}: a file of another machine ({parts.netloc}); give a path of this one.", param, ctx)
        return url2pathname(parts.path)


PHOTO = PhotoType()
