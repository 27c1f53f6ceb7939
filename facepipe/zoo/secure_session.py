"""HTTP requests that never leave TLS, not even through a redirect; apart from download, since it imports requests."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema


def secure_session() -> Session:
    """A session that refuses ``http://`` unless the host is this machine.

    Raises (in its requests):
        requests.exceptions.InvalidSchema: the URL, or one that it redirects to, is not ``https://``.
    """
    session = Session()
    session.mount("http://", _Loopback())
    return session


class _Loopback(HTTPAdapter):
    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        host = urlsplit(request.url or "").hostname
        if not _is_loopback(str(host)):
            raise InvalidSchema(f"http://{host} is not encrypted; only https:// is accepted")
        return super().send(request, *args, **options)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
