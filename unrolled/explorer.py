"""A figure that a reader can move: numbers for a small script of the website, and a picture.

The script is `book/_static/explorers.js`; it draws an explorer of a given kind from its numbers and
hides the picture. Where no script runs, in a notebook or in print, the picture stays.
"""

import base64
import html
import io
import json
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

DIGITS = 4  # significant; more cannot be seen, and every digit is weight on the page


class Explorer:
    """Shows itself as HTML: a picture and, beside it, the numbers to draw it from.

    Args:
        kind: which drawing of `explorers.js`, such as "gradient-flow".
        numbers: what it draws: dicts, lists, text, numbers and arrays.
        picture: a figure that says the same; it is closed, so that it is not shown twice.
        alt: the finding, for those who cannot see the picture.
    """

    def __init__(self, kind: str, numbers: dict[str, Any], picture: Figure, alt: str) -> None:
        self.kind, self.numbers, self.alt = kind, numbers, alt
        file = io.BytesIO()
        picture.savefig(file, format="svg")
        self.svg = file.getvalue()
        plt.close(picture)

    def _repr_html_(self) -> str:
        """Return the picture and the numbers as one block of HTML."""
        numbers = json.dumps(_plain(self.numbers), separators=(",", ":")).replace("</", "<\\/")
        source = "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode()
        return (
            f'<div class="explorer" data-explorer="{html.escape(self.kind)}">'
            f'<img src="{source}" alt="{html.escape(self.alt)}">'
            f'<script type="application/json">{numbers}</script></div>'
        )


def _plain(value: Any) -> Any:
    """Return ``value`` as what JSON knows, its numbers rounded; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _plain(np.asarray(value).tolist())
