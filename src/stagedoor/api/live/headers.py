"""Headers of what any page may show: who may see it is decided by the token in the URL, and never by a cookie."""

from __future__ import annotations

from typing import Final

FOR_ANY_PAGE: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
