"""An explorer carries a picture and its numbers as HTML that a page can hold."""

import json
import re

import matplotlib.pyplot as plt
import numpy as np
import torch

from unrolled.explorer import Explorer


def numbers_of(shown: str) -> dict:
    return json.loads(re.search(r'application/json">(.*?)</script>', shown, re.S)[1])


def explorer(numbers: dict) -> str:
    picture, ax = plt.subplots()
    ax.plot([0, 1])
    return Explorer("kind", numbers, picture, 'a "line" < that rises')._repr_html_()


def test_arrays_and_tensors_become_short_numbers() -> None:
    given = {"a": np.array([1 / 3, np.inf]), "b": torch.tensor([[1, 2]]), "c": [True, None]}
    shown = explorer(given)
    assert numbers_of(shown) == {"a": [0.3333, None], "b": [[1, 2]], "c": [True, None]}


def test_text_cannot_end_the_script_nor_the_attribute() -> None:
    shown = explorer({"word": "</script><b>"})
    assert numbers_of(shown) == {"word": "</script><b>"}
    assert 'alt="a &quot;line&quot; &lt; that rises"' in shown
    assert shown.count("<script") == shown.count("</script>") == 1


def test_the_picture_is_there_and_is_not_shown_twice() -> None:
    before = plt.get_fignums()
    assert "data:image/svg+xml;base64," in explorer({})
    assert plt.get_fignums() == before
