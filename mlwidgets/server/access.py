"""Who may read what was published: who may look at this server, who has the reports' own token, or everybody."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_core.utils import ensure_async
from jupyter_server.utils import url_path_join

from mlwidgets.server.handler import RESOURCE

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

LOGIN, TOKEN, OPEN = "login", "token", "open"
MODES = (LOGIN, TOKEN, OPEN)
TOKEN_VARIABLE = "MLWIDGETS_REPORTS_TOKEN"  # noqa: S105 - the name of it
DAYS = 30
"""That a browser remembers the token."""


@dataclass(frozen=True)
class Access:
    """The rule of one server.

    Parameters
    ----------
    mode
        One of `MODES`.
    token
        Opens the reports and nothing else where the mode is ``token``; empty: there is none.
    """

    mode: str = LOGIN
    token: str = ""

    async def admits(self, handler: JupyterHandler, *, is_open: bool) -> bool:
        """Return whether a request may read; `is_open`: what it asks for is open to everybody."""
        if is_open or self.mode == OPEN or self.is_known(handler):
            return True
        user = handler.current_user
        return bool(user) and await ensure_async(handler.authorizer.is_authorized(handler, user, "read", RESOURCE))

    def is_known(self, handler: JupyterHandler) -> bool:
        """Return whether a request bears the token, or the cookie that was given for it."""
        if self.mode != TOKEN or not self.token:
            return False
        cookie = handler.get_secure_cookie(_cookie(handler), max_age_days=DAYS)
        return self.is_given(handler) or (cookie is not None and hmac.compare_digest(cookie, self._sign()))

    def is_given(self, handler: JupyterHandler) -> bool:
        """Return whether the request itself bears the token, in its address or a header."""
        if self.mode != TOKEN or not self.token:
            return False
        given = handler.get_query_argument("token", "", strip=False) or _in_header(handler)
        return hmac.compare_digest(given.encode(), self.token.encode())

    def remember(self, handler: JupyterHandler) -> None:
        """Give the browser a cookie in the token's place: for the reports' addresses alone, out of reach of scripts.

        A new token makes it void. It goes along where a link from elsewhere is followed, as links to reports are.
        """
        handler.set_secure_cookie(
            _cookie(handler),
            self._sign(),
            expires_days=DAYS,
            path=url_path_join(handler.base_url, "reports"),
            httponly=True,
            secure=handler.request.protocol == "https",
            samesite="Lax",
        )

    def _sign(self) -> bytes:
        return hashlib.sha256(self.token.encode()).hexdigest().encode()


def _in_header(handler: JupyterHandler) -> str:
    found = re.fullmatch(
        r"(?:token|bearer)\s+(\S+)\s*", handler.request.headers.get("Authorization", ""), re.IGNORECASE
    )
    return found[1] if found else ""


def _cookie(handler: JupyterHandler) -> str:
    # Cookies know no ports: of two servers on one machine each has its own.
    return "mlwidgets-reports-" + re.sub("[^A-Za-z0-9]", "-", handler.request.host)
