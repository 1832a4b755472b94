"""One look for every figure of the course.

Call ``use_style()`` once, in a chapter's first cell. Figures become SVG with a transparent
background and dark text, so a page in dark mode can invert lightness and keep the hues
(``filter: invert(1) hue-rotate(180deg)``), and a notebook can put a light sheet behind them.
"""

from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

# Okabe and Ito's colours for colour-blind readers, the light ones darkened to 3:1 against white.
BLUE, VERMILLION, GREEN, PURPLE, OCHRE, SKY = (
    "#0072b2",
    "#d55e00",
    "#008a66",
    "#b8578f",
    "#a87400",
    "#2f8fc4",
)
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, OCHRE, SKY)
INK = "#24292f"  # text and axes
FAINT = "#8b929a"  # grids, guide lines, what is not the point
SEQUENTIAL = "Blues"  # from the page's own white to strong: inverts well in dark mode
DIVERGING = "RdBu_r"

STYLE: dict[Any, Any] = {
    "figure.figsize": (6.4, 3.4),
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "savefig.dpi": 200,
    "axes.facecolor": "none",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(
        color=SERIES, linestyle=["-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1))]
    ),
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "font.size": 11,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": "small",
    "svg.hashsalt": "unrolled",  # the same figure gives the same file
}


def use_style() -> None:
    """Set the course's figure style for this process; in a notebook, draw figures as SVG."""
    mpl.rcParams.update(STYLE)
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if getattr(get_ipython(), "kernel", None) is not None:
        set_matplotlib_formats("svg")


def label(ax: Axes, xlabel: str, ylabel: str, title: str | None = None, grid: bool = True) -> None:
    """Name both axes of ``ax`` (units included) and, if given, the panel."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    if title is not None:
        ax.set_title(title, loc="left")
    ax.grid(grid)


def heatmap(
    ax: Axes, values: ArrayLike, bar: str | None = None, first: int = 0, **options: Any
) -> AxesImage:
    """Return the image of a matrix on ``ax``: row 0 on top, NaN left empty.

    ``first`` is the number written at the first row and column (1 for time steps).
    ``bar`` labels a colour bar; without it there is none. ``options`` go to ``imshow``.
    """
    values = np.asarray(values, dtype=float)
    rows, columns = values.shape
    extent = (first - 0.5, first + columns - 0.5, first + rows - 0.5, first - 0.5)
    settings: dict[str, Any] = {"cmap": SEQUENTIAL, "interpolation": "nearest", **options}
    image = ax.imshow(values, extent=extent, **settings)
    ax.grid(False)
    if bar is not None:
        ax.figure.colorbar(image, ax=ax, label=bar, shrink=0.85)
    return image


def node(ax: Axes, xy: tuple[float, float], text: str, color: str = INK, size: int = 13) -> None:
    """Draw a circled ``text`` at ``xy``: a variable in a computation graph."""
    box = {"boxstyle": "circle,pad=0.28", "facecolor": "none", "edgecolor": color, "lw": 1.4}
    ax.text(*xy, text, ha="center", va="center", color=color, fontsize=size, bbox=box)


def arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str = BLUE,
    bend: float = 0.0,
    text: str = "",
    gap: float = 15.0,
    dashed: bool = False,
) -> None:
    """Draw an arrow between two nodes; ``bend`` curves it, ``gap`` (points) clears the nodes."""
    shape: dict[str, Any] = {
        "arrowstyle": "-|>",
        "color": color,
        "lw": 1.5,
        "shrinkA": gap,
        "shrinkB": gap,
    }
    shape["linestyle"] = "--" if dashed else "-"
    shape["connectionstyle"] = f"arc3,rad={bend}"
    ax.annotate("", xy=end, xytext=start, arrowprops=shape)
    if text:
        (x0, y0), (x1, y1) = start, end
        middle = ((x0 + x1) / 2 + bend * (y1 - y0) / 2, (y0 + y1) / 2 - bend * (x1 - x0) / 2)
        ax.text(*middle, text, color=color, ha="center", va="center", fontsize="small")


def glue(**numbers: float) -> None:
    """Hand numbers to the prose, which quotes them as ``{glue:text}`name:.3g```.

    In the book they travel with the executed cell; in a plain notebook they are printed.
    """
    plain = {name: np.asarray(value).item() for name, value in numbers.items()}
    try:
        from myst_nb import glue as glue_one
    except ImportError:
        print(*(f"{name} = {value:.4g}" for name, value in plain.items()), sep="\n")
        return
    for name, value in plain.items():
        glue_one(name, value, display=False)
