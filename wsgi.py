"""The WSGI entry point: `granian --interface wsgi wsgi:app`."""

import os

from gridgov import logs
from gridgov.app import config_of, create_app
from gridgov.processes import die_with_parent

# A web server killed without a word must not leave processes behind that keep its port.
die_with_parent(os.getppid())
app = create_app()
logs.setup(config_of(app).log, config_of(app).log_level)
