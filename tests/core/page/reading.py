"""What a page says, and the numbers that it holds."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any


def payload(page: str) -> dict[str, Any]:
    """Return the numbers that the page's script draws."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def words(page: str) -> str:
    """Return the page's text outside scripts, styles and pictures."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())
