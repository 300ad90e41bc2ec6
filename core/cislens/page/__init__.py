"""One self-contained page that shows reports, offline."""

from cislens.page.logo import svg_logo
from cislens.page.page import render_page, write_page

__all__ = ["render_page", "svg_logo", "write_page"]
