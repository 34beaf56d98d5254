"""Show the API's documentation from this process alone: no script, style or font comes from elsewhere."""

from importlib.resources import files
from pathlib import Path

from starlette.responses import FileResponse, HTMLResponse, Response

ASSETS = Path(str(files("fastapi_offline"))) / "static"
"""Swagger UI's own distribution, as the package `fastapi-offline` carries it."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
_ASSET_HEADERS = {"Cache-Control": "public, max-age=86400"}

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Crypto Wallets Service: API</title>
<link rel="icon" href="/swagger-ui/favicon.png">
<link rel="stylesheet" href="/swagger-ui/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/swagger-ui/start.js"></script>
</body>
</html>
"""

# A file of its own: the page's policy lets no inline script run. An API key that is typed in is not kept by the browser.
_START = """\
window.ui = SwaggerUIBundle({
  url: "/api-docs/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null
});
"""


async def page() -> Response:
    """Answer `/swagger-ui`."""
    return HTMLResponse(_PAGE, headers=_PAGE_HEADERS)


async def start_script() -> Response:
    """Answer the script that starts Swagger UI on our document."""
    return Response(_START, headers=_ASSET_HEADERS, media_type="text/javascript")


async def bundle() -> Response:
    """Answer Swagger UI itself."""
    return FileResponse(ASSETS / "swagger-ui-bundle.js", headers=_ASSET_HEADERS, media_type="text/javascript")


async def style() -> Response:
    """Answer Swagger UI's style sheet."""
    return FileResponse(ASSETS / "swagger-ui.css", headers=_ASSET_HEADERS, media_type="text/css")


async def icon() -> Response:
    """Answer the page's icon."""
    return FileResponse(ASSETS / "favicon.png", headers=_ASSET_HEADERS, media_type="image/png")
