"""Where a stream of bytes may go beside a file: standard output, TCP, UDP, HTTP.

In Python, not in FFmpeg: whoever listens may take ``timeout`` seconds for what is sent, and no
longer.
"""

from __future__ import annotations

import base64
import errno
import os
import socket
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

# As a file's name: a stream to whoever started this process, such as a server of streams.
STANDARD_OUTPUT = '-'
# Seven packets of MPEG-TS: what fits into a frame of Ethernet.
_DATAGRAM = 7 * 188


class StandardOutput:
    """Standard output as a file, without a buffer that would outlive an error.

    Attributes:
        bytes_written (int): size of what has left.
        closed (bool): whether :meth:`close` was called.
    """

    def __init__(self) -> None:
        self.bytes_written, self.closed = 0, False

    def write(self, data: bytes) -> int:
        """All of the data, or OSError."""
        rest = memoryview(data)
        while rest:
            done = self._send(rest)
            rest, self.bytes_written = rest[done:], self.bytes_written + done
        return len(data)

    def close(self) -> None:
        """Nothing follows. Safe to call again.

        Raises:
            OSError: whoever listened did not take all of it.
        """
        if not self.closed:
            self.closed = True
            self._end()

    def truncate(self, size: int) -> int:
        """What has left cannot be taken back: OSError."""
        raise OSError(errno.ESPIPE, 'a stream has no length')

    def _end(self) -> None:
        pass

    def _send(self, rest: memoryview) -> int:
        return os.write(1, rest)


class Socket(StandardOutput):
    """A listener of TCP, or an address of UDP.

    Args:
        url: ``tcp://host:port`` or ``udp://host:port``.
        timeout: seconds.

    Raises:
        OSError: nobody listens, or not in time.
        ValueError: the address has no port.
    """

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__()
        address = urlsplit(url)
        if not address.hostname or not address.port:
            raise ValueError(f'an address such as {address.scheme}://host:port has a port')
        place = address.hostname, address.port
        self._datagrams = address.scheme.lower() == 'udp'
        if self._datagrams:
            family, kind, protocol, _, place = socket.getaddrinfo(*place, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.connect(place)
        else:
            self._socket = socket.create_connection(place, timeout)

    def _end(self) -> None:
        self._socket.close()

    def _send(self, rest: memoryview) -> int:
        return self._socket.send(rest[:_DATAGRAM] if self._datagrams else rest)


class Http(StandardOutput):
    """A POST whose body goes on as long as the stream does, in chunks.

    Args:
        url: ``http://[user:password@]host[:port]/path?query``, or ``https``.
        timeout: seconds.

    Raises:
        OSError: nobody listens, not in time, or the server refuses.
    """

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__()
        address = urlsplit(url)
        # Here, not at the top: a tenth of what a start takes, and most streams go elsewhere.
        import http.client

        secure = address.scheme.lower() == 'https'
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._failure = http.client.HTTPException
        self._connection = kind(address.hostname, address.port, timeout=timeout)
        path = address.path or '/'
        self._connection.putrequest('POST', f'{path}?{address.query}' if address.query else path)
        self._connection.putheader('Transfer-Encoding', 'chunked')
        self._connection.putheader('Content-Type', 'application/octet-stream')
        if address.username:
            pair = f'{unquote(address.username)}:{unquote(address.password or "")}'
            secret = base64.b64encode(pair.encode()).decode()
            self._connection.putheader('Authorization', f'Basic {secret}')
        self._connection.endheaders()

    def _end(self) -> None:
        """End the body; an answer of the server's that is no success is an error."""
        try:
            self._connection.send(b'0\r\n\r\n')
            answer = self._connection.getresponse()
            if answer.status >= 300:
                raise OSError(f'the server answers {answer.status} {answer.reason}')
        except self._failure as error:
            raise OSError(
                f'the server gives no answer ({error or type(error).__name__})'
            ) from error
        finally:
            self._connection.close()

    def _send(self, rest: memoryview) -> int:
        self._connection.send(b'%x\r\n%b\r\n' % (len(rest), rest))
        return len(rest)


_SINKS: dict[str, Callable[[str, float], StandardOutput]] = {
    'tcp': Socket,
    'udp': Socket,
    'http': Http,
    'https': Http,
}
# RTSP is FFmpeg's: a server that takes streams (ANNOUNCE and RECORD).
ADDRESSES = ('rtsp', *_SINKS)


def scheme_of(name: str | os.PathLike) -> str:
    """What stands before ``://`` in an output's name, '' where nothing does."""
    scheme, mark, _ = os.fspath(name).partition('://')
    return scheme.lower() if mark else ''


def is_address(name: str | os.PathLike) -> bool:
    """Whether an output is an address that a stream is sent to, and not a file."""
    return scheme_of(name) in ADDRESSES


def waits(name: str | os.PathLike) -> bool:
    """Whether an output takes bytes as fast as it can and makes the sender wait: a file, a pipe,
    a connection. By RTSP and UDP what comes too fast is lost."""
    return scheme_of(name) not in ('rtsp', 'udp')


def is_stream(name: str | os.PathLike) -> bool:
    """Whether an output is no file: an address, or standard output."""
    return os.fspath(name) == STANDARD_OUTPUT or is_address(name)


def shown(name: str | os.PathLike) -> str:
    """An output's name for messages, without what only the other side may know."""
    if not is_address(name):
        return 'standard output' if is_stream(name) else os.fspath(name)
    address = urlsplit(os.fspath(name))
    return f'{address.scheme}://{address.netloc.rpartition("@")[2]}{address.path}'


def open_sink(name: str, timeout: float) -> StandardOutput | None:
    """What takes the bytes of a stream; None where FFmpeg sends them itself, or for a file.

    Raises:
        OSError, ValueError: see the sinks.
    """
    if name == STANDARD_OUTPUT:
        return StandardOutput()
    sink = _SINKS.get(scheme_of(name))
    return sink(name, timeout) if sink else None
