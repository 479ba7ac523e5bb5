"""Security headers on every answer. No inline script or style anywhere, so the policy needs no exception.

Geolocation and camera stay allowed for our own pages: reporting needs them.
"""

from urllib.parse import urlsplit

from flask import Flask, Response

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(), payment=(), usb=()",
}


def policy(tile_url: str = "", tile_subdomains: str = "") -> str:
    """The Content-Security-Policy. Configured map tiles are the only thing it admits from elsewhere."""
    images = " ".join(["'self'", "data:", "blob:", *_hosts(tile_url, tile_subdomains)])
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
        "font-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def init_app(app: Flask) -> None:
    """Add the headers to every answer of the app."""
    config = app.config.get("GRIDGOV")
    content = policy(getattr(config, "tile_url", ""), getattr(config, "tile_subdomains", ""))

    @app.after_request
    def add_headers(answer: Response) -> Response:
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Content-Security-Policy", content)
        if answer.mimetype == "text/html":
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def _hosts(tile_url: str, subdomains: str) -> list[str]:
    """The origins that tiles come from, one for each {s}."""
    if not tile_url:
        return []
    names = subdomains.split(",") if "," in subdomains else list(subdomains)
    return [_origin(tile_url.replace("{s}", name)) for name in (names or [""])]


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
