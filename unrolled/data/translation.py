"""English sentences with their French translation and the words that translate each other.

"the old man does not see any trees near the house ." becomes "le vieil homme ne voit pas d'arbres
près de la maison .": nouns have a gender, articles, adjectives and verbs agree with them, colours
stand behind the noun, and little words change before a vowel. A grammar writes both sides at
once, so every French word knows the English words that it stands for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy.random import Generator

Links = tuple[int, ...]
Words = list[str]
Noun = tuple[str, str, str, str, bool, str]
French = list[tuple[str, Links]]  # each word with the positions of its English words

# English singular and plural, French singular and plural, feminine, kind
NOUNS: tuple[Noun, ...] = (
    ("boy", "boys", "garçon", "garçons", False, "person"),
    ("girl", "girls", "fille", "filles", True, "person"),
    ("man", "men", "homme", "hommes", False, "person"),
    ("woman", "women", "femme", "femmes", True, "person"),
    ("cat", "cats", "chat", "chats", False, "animal"),
    ("dog", "dogs", "chien", "chiens", False, "animal"),
    ("bird", "birds", "oiseau", "oiseaux", False, "animal"),
    ("owl", "owls", "hibou", "hiboux", False, "animal"),
    ("horse", "horses", "cheval", "chevaux", False, "animal"),
    ("tree", "trees", "arbre", "arbres", False, "thing"),
    ("garden", "gardens", "jardin", "jardins", False, "thing"),
    ("house", "houses", "maison", "maisons", True, "thing"),
    ("car", "cars", "voiture", "voitures", True, "thing"),
    ("school", "schools", "école", "écoles", True, "thing"),
)
NOUN = {noun[0]: noun for noun in NOUNS}
# masculine and feminine singular, masculine and feminine plural; before a vowel, where it differs
BEFORE = {
    "small": ("petit", "petite", "petits", "petites"),
    "old": ("vieux", "vieille", "vieux", "vieilles", "vieil"),
    "new": ("nouveau", "nouvelle", "nouveaux", "nouvelles", "nouvel"),
    "beautiful": ("beau", "belle", "beaux", "belles", "bel"),
}
AFTER = {
    "black": ("noir", "noire", "noirs", "noires"),
    "white": ("blanc", "blanche", "blancs", "blanches"),
    "red": ("rouge", "rouge", "rouges", "rouges"),
    "tired": ("fatigué", "fatiguée", "fatigués", "fatiguées"),
    "famous": ("célèbre", "célèbre", "célèbres", "célèbres"),
}
FITS = {
    "person": ("tired", "famous"),
    "animal": ("black", "white", "tired"),
    "thing": ("black", "white", "red"),
}
DETERMINERS = {
    "the": ("le", "la", "les", "les"),
    "a": ("un", "une", "", ""),
    "some": ("", "", "des", "des"),
    "this": ("ce", "cette", "ces", "ces"),
    "my": ("mon", "ma", "mes", "mes"),
}
# English with he and they, the particle, French with il and ils, which objects
VERBS = (
    ("sees", "see", "", "voit", "voient", ("person", "animal", "thing")),
    ("looks", "look", "at", "regarde", "regardent", ("person", "animal", "thing")),
    ("follows", "follow", "", "suit", "suivent", ("person", "animal")),
    ("likes", "like", "", "aime", "aiment", ("person", "animal", "thing")),
    ("sleeps", "sleep", "", "dort", "dorment", ()),
)
PREPOSITIONS = {"under": ("sous",), "behind": ("derrière",), "near": ("près", "de")}
ELIDED = {"le": "l'", "la": "l'", "de": "d'", "ne": "n'", "ce": "cet", "ma": "mon"}
ASPIRATED = ("hibou", "hiboux")  # their h counts as a consonant: "le hibou"

PAD, BOS, EOS = 0, 1, 2
SPECIAL = ("<pad>", "<bos>", "<eos>")
ENGLISH = (
    *SPECIAL,
    *("the", "a", "an", "some", "any", "this", "these", "my"),
    *(form for noun in NOUNS for form in noun[:2]),
    *(*BEFORE, *AFTER, *PREPOSITIONS),
    *("is", "are", "does", "do", "not", "very", "who", "and", "but", "at", "."),
    *(form for verb in VERBS for form in verb[:2]),
)
FRENCH = (
    *SPECIAL,
    *("le", "la", "l'", "les", "un", "une", "des", "de", "d'", "du"),
    *("ce", "cet", "cette", "ces", "mon", "ma", "mes"),
    *(form for noun in NOUNS for form in noun[2:4]),
    *dict.fromkeys(form for forms in (*BEFORE.values(), *AFTER.values()) for form in forms),
    *("est", "sont", "ne", "n'", "pas", "très", "qui", "et", "mais", "."),
    *("sous", "derrière", "près"),
    *(form for verb in VERBS for form in verb[3:5]),
)


@dataclass(frozen=True)
class Pair:
    """A sentence in English and French, and for each French word its English words' positions."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: tuple[Links, ...]


def translation_pairs(
    count: int,
    rng: Generator,
    exclude: Iterable[Pair] = (),
    longest: int = 24,
    clauses: int | None = None,
) -> list[Pair]:
    """Return ``count`` different pairs, none of which has the English sentence of an excluded one.

    No sentence has more than ``longest`` words in either language. ``clauses`` is how many each
    has; without it most have one and some two.
    """
    seen = {pair.source for pair in exclude}
    pairs: list[Pair] = []
    while len(pairs) < count:
        pair = translation_pair(rng, clauses)
        if pair.source not in seen and max(len(pair.source), len(pair.target)) <= longest:
            seen.add(pair.source)
            pairs.append(pair)
    return pairs


def translation_pair(rng: Generator, clauses: int | None = None) -> Pair:
    """Return a random sentence in English and French, of so many clauses, or of one or two."""
    english: Words = []
    french: French = []
    _clause(english, french, rng)
    more = int(rng.random() < 0.25) if clauses is None else clauses - 1
    for _ in range(more):
        word, translated = _pick((("and", "et"), ("but", "mais")), rng)
        french.append((translated, (len(english),)))
        english.append(word)
        _clause(english, french, rng)
    french.append((".", (len(english),)))
    english.append(".")
    words, links = zip(*_spelled(french), strict=True)
    return Pair(tuple(english), words, links)


def noun_phrase(
    english: Words,
    determiner: str,
    noun: str,
    plural: bool = False,
    before: str = "",
    after: str = "",
    negated: bool = False,
) -> French:
    """Append a noun phrase to ``english`` and return its French, before elision.

    ``negated`` says that it is the object of a negated verb: "a cat" is then "de chat".
    "this" and "a" become "these" and "an", and "some" becomes "any", where English says so.
    """
    entry = NOUN[noun]
    english_noun, head, feminine = entry[:2][plural], entry[2:4][plural], entry[4]
    agree = 2 * plural + feminine
    start, adjectives = len(english), [word for word in (before, after) if word]
    link = {word: (start + 1 + i,) for i, word in enumerate((*adjectives, english_noun))}
    english += [_english_determiner(determiner, plural, negated, (*adjectives, english_noun)[0])]
    english += [*adjectives, english_noun]
    french_determiner = DETERMINERS[determiner][agree]
    if determiner in ("a", "some") and (negated or (plural and before)):
        french_determiner = "de"
    french: French = [(french_determiner, (start,))]
    if before:
        forms = BEFORE[before]
        vowel = agree == 0 and starts_with_vowel(head)
        french.append((forms[4] if vowel and len(forms) > 4 else forms[agree], link[before]))
    french.append((head, link[english_noun]))
    if after:
        french.append((AFTER[after][agree], link[after]))
    return french


def starts_with_vowel(word: str) -> bool:
    """Return whether little words are shortened before ``word``: a vowel, or an h not sounded."""
    return word[0] in "aeiouéê" or (word[0] == "h" and word not in ASPIRATED)


def written(words: Sequence[str]) -> str:
    """Return the words as one writes them: no space after an apostrophe or before a full stop."""
    return " ".join(words).replace("' ", "'").replace(" .", ".")


def alignment_matrix(pair: Pair) -> Bool[np.ndarray, "T S"]:
    """Return which French words (rows) stand for which English words (columns)."""
    matrix = np.zeros((len(pair.target), len(pair.source)), dtype=bool)
    for t, links in enumerate(pair.alignment):
        matrix[t, list(links)] = True
    return matrix


def encode(words: Sequence[str], vocabulary: Sequence[str]) -> list[int]:
    """Return the words as indices into ``vocabulary`` (``ENGLISH`` or ``FRENCH``), and EOS."""
    return [vocabulary.index(word) for word in words] + [EOS]


def _english_determiner(determiner: str, plural: bool, negated: bool, following: str) -> str:
    if determiner == "a":
        return "an" if following[0] in "aeiou" else "a"
    if determiner == "some" and negated:
        return "any"
    return "these" if determiner == "this" and plural else determiner


def _clause(english: Words, french: French, rng: Generator) -> None:
    subject = _draw_noun(rng, ("person", "person", "animal"))
    plural = bool(rng.integers(2))
    french += _draw_phrase(english, subject, plural, rng)
    if subject[5] == "person" and rng.random() < 0.2:
        french.append(("qui", (len(english),)))
        english.append("who")
        _verb_phrase(english, french, subject, plural, rng)
    _verb_phrase(english, french, subject, plural, rng)


def _verb_phrase(
    english: Words, french: French, subject: Noun, plural: bool, rng: Generator
) -> None:
    negated = rng.random() < 0.35
    if rng.random() < 0.25:
        _predicate(english, french, subject, plural, negated, rng)
        return
    he, they, particle, il, ils, kinds = _pick(VERBS, rng)
    start = len(english)
    english += [("does", "do")[plural], "not", they] if negated else [(he, they)[plural]]
    english += [particle] if particle else []
    links = tuple(i for i in range(start, len(english)) if english[i] != "not")
    verb: French = [((il, ils)[plural], links)]
    french += _negated(verb, start + 1) if negated else verb
    if kinds:
        definite = he == "likes"  # after "aimer" one says "les", and keeps it when negated
        french += _draw_phrase(english, _draw_noun(rng, kinds), None, rng, negated, definite)
    if rng.random() < (0.25 if kinds else 0.8):
        _place(english, french, rng)


def _predicate(
    english: Words, french: French, subject: Noun, plural: bool, negated: bool, rng: Generator
) -> None:
    verb: French = [(("est", "sont")[plural], (len(english),))]
    english.append(("is", "are")[plural])
    if negated:
        verb = _negated(verb, len(english))
        english.append("not")
    french += verb
    if rng.random() < 0.3:
        french.append(("très", (len(english),)))
        english.append("very")
    adjective = _pick((*BEFORE, *FITS[subject[5]]), rng)
    french.append(({**BEFORE, **AFTER}[adjective][2 * plural + subject[4]], (len(english),)))
    english.append(adjective)


def _place(english: Words, french: French, rng: Generator) -> None:
    """Append "under the tree"; "near some trees" is "près d'arbres", as "de des" is not said."""
    preposition = _pick(tuple(PREPOSITIONS), rng)
    french += [(word, (len(english),)) for word in PREPOSITIONS[preposition]]
    english.append(preposition)
    phrase = _draw_phrase(english, _draw_noun(rng, ("thing",)), None, rng)
    if french[-1][0] == "de" and phrase[0][0] in ("des", "de"):
        french[-1] = ("de", french[-1][1] + phrase.pop(0)[1])
    french += phrase


def _negated(verb: French, position: int) -> French:
    return [("ne", (position,)), *verb, ("pas", (position,))]


def _draw_noun(rng: Generator, kinds: Sequence[str]) -> Noun:
    kind = _pick(kinds, rng)
    return _pick([noun for noun in NOUNS if noun[5] == kind], rng)


def _draw_phrase(
    english: Words, noun: Noun, plural: bool | None, rng: Generator, *rules: bool
) -> French:
    """Return a random phrase around ``noun``, in the plural or not as asked (None: either).

    ``rules`` are whether it is the object of a negated verb, and whether it must be definite.
    "my man" and "vieux garçon" are left out: they mean something else.
    """
    negated, definite = rules or (False, False)
    plural = bool(rng.integers(2)) if plural is None else plural
    options = ("the", "the", "this") + (() if definite else ("some" if plural else "a",) * 2)
    options += () if noun[0] in ("man", "woman") else ("my",)
    allowed = [a for a in BEFORE if not (a == "old" and noun[0] in ("boy", "girl"))]
    before = _pick(allowed, rng) if rng.random() < 0.35 else ""
    after = _pick(FITS[noun[5]], rng) if rng.random() < 0.3 else ""
    return noun_phrase(english, _pick(options, rng), noun[0], plural, before, after, negated)


def _pick(options: Sequence[Any], rng: Generator) -> Any:
    return options[int(rng.integers(len(options)))]


def _spelled(french: French) -> French:
    """Return the words with elision ("l'arbre"), and then contraction ("de le" is "du")."""
    following = [word for word, _ in french[1:]] + ["."]
    words = [
        (ELIDED[word] if word in ELIDED and starts_with_vowel(after) else word, links)
        for (word, links), after in zip(french, following, strict=True)
    ]
    result: French = []
    for word, links in words:
        if result and result[-1][0] == "de" and word in ("le", "les"):
            result[-1] = ("du" if word == "le" else "des", result[-1][1] + links)
        else:
            result.append((word, links))
    return result
