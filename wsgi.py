"""What a web server runs: `granian --interface rsgi wsgi:server`. `wsgi:app` serves under any WSGI server, without streams."""

import os

from gridgov.address import number
from gridgov.app import create_app
from gridgov.live.streams import Streams
from gridgov.processes import die_with_parent
from gridgov.serving import THREADS, Server

# A web server killed without a word must not leave processes behind that keep its port.
die_with_parent(os.getppid())
app = create_app()
server = Server(app, Streams(app), threads=number("GRIDGOV_WEB_THREADS", THREADS, 64))
