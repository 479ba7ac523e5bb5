"""What a web server runs: `granian --interface rsgi wsgi:server`. `wsgi:app` serves under any WSGI server, without streams."""

import os

from gridgov import logs
from gridgov.address import number
from gridgov.app import config_of, create_app
from gridgov.live.streams import Streams
from gridgov.processes import die_with_parent
from gridgov.serving import THREADS, Server

# A web server killed without a word must not leave processes behind that keep its port.
die_with_parent(os.getppid())
app = create_app()
logs.setup(config_of(app).log, config_of(app).log_level)
server = Server(app, Streams(app), threads=number("GRIDGOV_WEB_THREADS", THREADS, 64))
