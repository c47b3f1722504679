"""Headless Chromium, driven through its debugging pipe: no driver, no port."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_QUIET = ('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
          '--disable-background-networking', '--disable-component-update', '--disable-sync',
          '--hide-scrollbars', '--autoplay-policy=no-user-gesture-required')  # fmt: skip


class Page:
    """One page of a browser.

    Attributes:
        requests: addresses that the page has asked for, ``data:`` and ``blob:`` left out.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from, self._rest, self._count = to_browser, from_browser, b'', 0
        self._session: str | None = None
        self.requests: list[str] = []
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        attached = self.call('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Network', 'DOM'):
            self.call(f'{domain}.enable')

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the DevTools protocol, and its answer."""
        self._count += 1
        message = dict(id=self._count, method=method, params=params)
        if self._session is not None:
            message['sessionId'] = self._session
        os.write(self._to, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._read()
            if answer.get('method') == 'Network.requestWillBeSent':
                url = answer['params']['request']['url']
                if not url.startswith(('data:', 'blob:')):
                    self.requests.append(url)
            if answer.get('id') == self._count:
                assert 'error' not in answer, f'{method}: {answer["error"]}'
                return answer['result']

    def _read(self) -> dict[str, Any]:
        while b'\0' not in self._rest:
            ready, _, _ = select.select([self._from], [], [], 120)
            part = os.read(self._from, 1 << 20) if ready else b''
            assert part, 'the browser does not answer'
            self._rest += part
        text, _, self._rest = self._rest.partition(b'\0')
        return json.loads(text)

    def open(self, url: str, width: int = 1280, height: int = 900) -> None:
        """Go there, in a window of that size."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        self.call('Page.navigate', url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, code: str) -> Any:
        """The value of an expression or of a promise, as JSON holds it."""
        done = self.call(
            'Runtime.evaluate', expression=code, awaitPromise=True, returnByValue=True,
            userGesture=True,
        )  # fmt: skip
        assert 'exceptionDetails' not in done, done['exceptionDetails']
        return done['result'].get('value')

    def wait(self, condition: str, seconds: float = 120) -> None:
        """Until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f'!!({condition})'):
            assert time.monotonic() < end, f'in vain: {condition}'
            time.sleep(0.1)

    def choose_file(self, selector: str, path: Path) -> None:
        """What a person does in the window that an input of files opens."""
        root = self.call('DOM.getDocument')['root']['nodeId']
        node = self.call('DOM.querySelector', nodeId=root, selector=selector)['nodeId']
        self.call('DOM.setFileInputFiles', nodeId=node, files=[str(path)])

    def picture(
        self, left: float, top: float, width: float, height: float, scale: float = 1
    ) -> bytes:
        """A part of the page, in its pixels, as PNG, enlarged by ``scale``."""
        clip = dict(x=left, y=top, width=width, height=height, scale=scale)
        shot = self.call('Page.captureScreenshot', format='png', clip=clip)
        return base64.b64decode(shot['data'])


def find_chromium() -> str:
    """Its program.

    Raises:
        FileNotFoundError: there is none.
    """
    found = shutil.which('chromium') or shutil.which('chromium-browser')
    if found is None:
        raise FileNotFoundError('no chromium: apt-get install -y chromium')
    return found


@contextmanager
def open_browser(profile: Path, options: Sequence[str] = ()) -> Iterator[Page]:
    """A browser of its own, ended with the context.

    Args:
        profile: an empty folder.
        options: of Chromium's command line.

    Raises:
        FileNotFoundError: there is none.
    """
    chromium = find_chromium()
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    # The browser reads its file 3 and writes its file 4.
    script = f'exec "$0" "$@" 3<&{their_in} 4>&{their_out}'
    command = ['bash', '-c', script, chromium, *_QUIET, '--remote-debugging-pipe',
               f'--user-data-dir={profile}', *options]  # fmt: skip
    process = subprocess.Popen(
        command, pass_fds=(their_in, their_out), stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(their_in)
    os.close(their_out)
    try:
        yield Page(our_out, our_in)
    finally:
        process.terminate()
        process.wait(30)
        os.close(our_out)
        os.close(our_in)
