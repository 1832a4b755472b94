"""Interface strings come from catalogues as they are, each English string once."""

import importlib.util
import sys

import pytest

from unrolled.data import interface

CATALOGUES = [
    {
        "": {"language": "fr"},
        "Open": ["Ouvrir"],
        "menu\x04Open": ["Ouvert"],
        "%1 file": ["%1 fichier", "%1 fichiers"],
        "Untranslated": [""],
        "Hide the image’s border": ["Masquer le contour de l’image"],
    },
    {"open": ["ouvrir"], "Close": ["Fermer"]},
]


def test_strings_are_tokens_in_lower_case():
    """An elided article is a token of its own, and so is a placeholder."""
    assert interface.tokens("L’image %1 : OK…") == ("l'", "image", "%1", ":", "ok", "…")
    assert interface.tokens("barre d'outils") == ("barre", "d'", "outils")


def test_one_english_string_has_all_its_translations():
    """Contexts and catalogues are merged, plural forms reduced to one, empty ones left out."""
    pairs = {p.source: p.targets for p in interface.pairs_of(CATALOGUES)}
    assert pairs[("open",)] == (("ouvrir",), ("ouvert",))
    assert pairs[("%1", "file")] == (("%1", "fichier"),)
    assert ("untranslated",) not in pairs and () not in pairs
    assert len(pairs) == 4


def test_split_is_by_english_string_and_complete():
    """Every pair is on one side, and about a tenth is held out."""
    pairs = [interface.Pair((f"w{i}",), (("x",),)) for i in range(5000)]
    train, test = interface.split(pairs)
    assert sorted(train + test) == sorted(pairs)
    assert 400 < len(test) < 600


def test_missing_package_says_what_to_install(monkeypatch):
    """Without the optional package the error names it and the command."""
    monkeypatch.setattr(interface, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"language-pack-fr-FR.*pip install --no-deps"):
        interface.load_interface()


def test_installed_pack_is_read_and_not_imported():
    """The strings are there, every one with a translation."""
    if importlib.util.find_spec("jupyterlab_language_pack_fr_FR") is None:
        pytest.skip("the optional language pack is not installed")
    pairs = interface.load_interface()
    assert "jupyterlab_language_pack_fr_FR" not in sys.modules
    assert len(pairs) > 2000 and all(p.source and all(p.targets) for p in pairs)
    assert len({p.source for p in pairs}) == len(pairs)
