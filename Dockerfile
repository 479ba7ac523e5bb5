# Two stages: one sets everything up with the script that `make` uses, the other carries the result and nothing else.
# The same steps, run without Docker: docs/deploy.md.
FROM python:3.11-slim-bookworm AS assets
WORKDIR /srv/gridgov
COPY . .
RUN python3 .ci/setup.py image

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin gridgov \
 && install --directory --owner=gridgov --group=gridgov --mode=0750 /data
COPY --from=assets /srv/gridgov /srv/gridgov
WORKDIR /srv/gridgov
USER gridgov
ENV PATH=/srv/gridgov/.venv/bin:$PATH PYTHONUNBUFFERED=1 GRIDGOV_VAR=/data GRIDGOV_HOST=0.0.0.0 GRIDGOV_PORT=8000 GRIDGOV_LOG=json
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "gridgov", "web"]
