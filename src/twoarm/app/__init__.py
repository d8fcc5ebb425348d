"""The pages of finished runs, served to a browser on this machine only. There is no interactive app yet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from twoarm.errors import NoPageError, PortTakenError

HERE = "127.0.0.1"  # nobody else on the network is answered


def serve(folder: Path, announce: Callable[[str], None], *, port: int) -> None:
    """Serve the pages under a folder until interrupted.

    Parameters
    ----------
    folder : Path
        Looked through for `report.html`, at any depth.
    announce : callable
        Called with the address of each page, once the server listens.
    port : int
        Port on this machine; 0 takes a free one.

    Raises
    ------
    NoPageError
        If the folder holds no page.
    PortTakenError
        If something else listens there.
    """
    found = pages(folder)
    server = listen(folder, port=port)
    for page in found:
        announce(f"http://{HERE}:{server.server_port}/{page}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def pages(folder: Path) -> list[str]:
    """List the pages under a folder, newest first.

    Parameters
    ----------
    folder : Path
        Where runs were written.

    Returns
    -------
    list of str
        Paths below `folder`.

    Raises
    ------
    NoPageError
        If there is none.
    """
    found = sorted(Path(folder).rglob("report.html"), key=lambda path: -path.stat().st_mtime)
    if not found:
        raise NoPageError(folder=folder)
    return [path.relative_to(folder).as_posix() for path in found]


def listen(folder: Path, *, port: int) -> ThreadingHTTPServer:
    """Open the server without serving yet.

    Parameters
    ----------
    folder : Path
        Its files are served, and nothing above it.
    port : int
        Port on this machine; 0 takes a free one.

    Returns
    -------
    ThreadingHTTPServer
        Listening on this machine only.

    Raises
    ------
    PortTakenError
        If something else listens there.
    """
    try:
        return ThreadingHTTPServer((HERE, port), partial(_Quiet, directory=str(folder)))
    except OSError:
        raise PortTakenError(port=port) from None


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing for each."""

    def log_message(self, format: str, *args: Any) -> None:
        pass
