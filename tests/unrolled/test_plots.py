"""The look of the figures is a promise: readable on white and on dark, labelled, repeatable."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from unrolled import plots

WHITE, DARK = "#ffffff", "#14181e"


def luminance(rgb):
    """Return WCAG's relative luminance of an RGB triple in 0..1."""
    rgb = np.asarray(rgb, dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def inverted(color):
    """Return what CSS ``invert(1) hue-rotate(180deg)`` makes of a colour."""
    grey = np.array([0.213, 0.715, 0.072])
    rotate = 2 * np.tile(grey, (3, 1)) - np.eye(3)  # hue rotation by 180 degrees
    return np.clip(rotate @ (1 - np.array(to_rgb(color))), 0, 1)


@pytest.fixture
def styled():
    """Give the course's style to one test and take it back afterwards."""
    with matplotlib.rc_context():
        plots.use_style()
        yield
        plt.close("all")


@pytest.mark.parametrize("color", plots.SERIES)
def test_series_colours_stand_out_on_white_and_inverted_on_dark(color):
    """Lines need 3:1 against the page in both modes."""
    assert contrast(to_rgb(color), to_rgb(WHITE)) >= 3
    assert contrast(inverted(color), to_rgb(DARK)) >= 3


def test_text_stands_out_in_both_modes():
    """Text needs 7:1 in both modes."""
    assert contrast(to_rgb(plots.INK), to_rgb(WHITE)) >= 7
    assert contrast(inverted(plots.INK), to_rgb(DARK)) >= 7


def test_figures_have_no_background_of_their_own(styled):
    """The corner pixel of a saved figure is fully transparent."""
    fig, ax = plt.subplots()
    ax.plot([0, 1])
    file = io.BytesIO()
    fig.savefig(file, format="png")
    file.seek(0)
    assert plt.imread(file)[0, 0, 3] == 0


def test_same_figure_gives_same_svg(styled):
    """A rebuilt figure differs in nothing but its date."""

    def svg():
        fig, ax = plt.subplots()
        plots.heatmap(ax, np.eye(3))
        file = io.StringIO()
        fig.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    assert svg() == svg()


def test_label_names_axes_and_panel(styled):
    """Both axes and the title are set."""
    _, ax = plt.subplots()
    plots.label(ax, "step", "loss (nats)", "a")
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title(loc="left")) == (
        "step",
        "loss (nats)",
        "a",
    )


def test_heatmap_counts_from_first_and_leaves_nan_empty(styled):
    """Pixel centres carry the numbers first, first + 1, ...; NaN is masked."""
    _, ax = plt.subplots()
    image = plots.heatmap(ax, [[1, np.nan, 3], [4, 5, 6]], first=1)
    assert image.get_extent() == [0.5, 3.5, 2.5, 0.5]
    assert np.ma.getmaskarray(image.get_array()).tolist() == [[False, True, False], [False] * 3]


def test_node_and_arrow_draw_in_the_asked_colour(styled):
    """A graph needs its texts and its arrows."""
    _, ax = plt.subplots()
    plots.node(ax, (0, 0), "h", color=plots.GREEN)
    plots.arrow(ax, (0, 0), (1, 0), color=plots.PURPLE, text="W")
    assert [t.get_text() for t in ax.texts] == ["h", "", "W"]
    assert ax.texts[0].get_color() == plots.GREEN
    assert ax.texts[1].arrow_patch.get_edgecolor()[:3] == to_rgb(plots.PURPLE)


def test_glue_prints_plain_numbers_where_there_is_no_book(monkeypatch, capsys):
    """Without myst_nb the numbers are shown to the reader instead."""
    monkeypatch.setitem(__import__("sys").modules, "myst_nb", None)
    plots.glue(loss=np.float64(0.25), steps=3)
    assert capsys.readouterr().out == "loss = 0.25\nsteps = 3\n"
