"""GStreamer's RTSP server in a process of its own, which prints its address and serves.

    /usr/bin/python3 gst_server.py 'LAUNCH LINE'      # a camera: the line ends in pay0
    /usr/bin/python3 gst_server.py --record 'LINE'    # takes a stream: the line begins at depay0

Run by the Python that has Debian's gir1.2-gst-rtsp-server-1.0, so it imports nothing of ours.
"""

import sys

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
server = GstRtspServer.RTSPServer.new()
server.set_address('127.0.0.1')
server.set_service('0')
factory = GstRtspServer.RTSPMediaFactory.new()
factory.set_launch(sys.argv[-1])
if '--record' in sys.argv:
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
server.get_mount_points().add_factory('/stream', factory)
loop = GLib.MainLoop()


def began() -> bool:
    print(f'rtsp://127.0.0.1:{server.get_bound_port()}/stream', flush=True)
    return False


server.attach(None)
GLib.idle_add(began)
loop.run()
