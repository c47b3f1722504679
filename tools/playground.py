"""A page that encodes your camera or a video in the browser; nothing leaves it.

    python tools/playground.py                              # serves it to this machine alone
    python tools/playground.py --encoder work_dirs/bdq_kth/encoder.json
    python tools/playground.py --out playground.html        # one file, opened without a server

Browsers give their camera to pages of ``localhost``, which this is, and most to files.
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bdq_plugin.deploy.playground import playground_page


def server_of(page: str, port: int) -> ThreadingHTTPServer:
    """A server of one page, for this machine alone."""
    content = page.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != '/':
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header('Content-Type', 'text/html; charset=utf-8')
            self.send_header('Content-Length', str(len(content)))
            self.send_header('Cache-Control', 'no-store')
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(('127.0.0.1', port), Handler)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--encoder', nargs='+', default=[], help='files, zoo names or presets (default: the zoo)'
    )
    parser.add_argument('--out', type=Path, help='write the page to this file and serve nothing')
    parser.add_argument('--port', type=int, default=8765, help='of the server; 0 for a free one')
    parser.add_argument('--no-browser', action='store_true', help='do not open a browser')
    args = parser.parse_args(arguments)
    try:
        page = playground_page(args.encoder)
        if args.out is not None:
            args.out.write_text(page, encoding='utf-8')
            print(f'{args.out}: {args.out.stat().st_size:,} bytes')
            return 0
        server = server_of(page, args.port)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    address = f'http://localhost:{server.server_port}/'
    print(f'{address}  (Ctrl-C ends it)', flush=True)
    if not args.no_browser:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
