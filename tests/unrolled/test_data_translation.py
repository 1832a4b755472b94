"""The translations are right French, checked by rules written down a second time, and aligned."""

import itertools

import numpy as np
import pytest

from unrolled.data.translation import (
    ENGLISH,
    EOS,
    FRENCH,
    _spelled,
    alignment_matrix,
    encode,
    noun_phrase,
    starts_with_vowel,
    translation_pairs,
    written,
)

PAIRS = translation_pairs(6000, np.random.default_rng(12))
MASCULINE = {
    "garçon": "garçons",
    "homme": "hommes",
    "chat": "chats",
    "chien": "chiens",
    "oiseau": "oiseaux",
    "hibou": "hiboux",
    "cheval": "chevaux",
    "arbre": "arbres",
    "jardin": "jardins",
}
FEMININE = {
    "fille": "filles",
    "femme": "femmes",
    "maison": "maisons",
    "voiture": "voitures",
    "école": "écoles",
}
FORM = {
    **dict.fromkeys(MASCULINE, "ms"),
    **dict.fromkeys(MASCULINE.values(), "mp"),
    **dict.fromkeys(FEMININE, "fs"),
    **dict.fromkeys(FEMININE.values(), "fp"),
}
VOWEL = {"homme", "hommes", "oiseau", "oiseaux", "arbre", "arbres", "école", "écoles"}
VOWEL |= {"est", "aime", "aiment", "un", "une"}
AGREES = {
    "le": "ms", "la": "fs", "l'": "ms fs", "les": "mp fp", "un": "ms", "une": "fs",
    "des": "mp fp", "du": "ms", "ce": "ms", "cet": "ms", "cette": "fs", "ces": "mp fp",
    "mon": "ms fs", "ma": "fs", "mes": "mp fp",
    "petit": "ms", "petite": "fs", "petits": "mp", "petites": "fp",
    "vieux": "ms mp", "vieil": "ms", "vieille": "fs", "vieilles": "fp",
    "nouveau": "ms", "nouvel": "ms", "nouvelle": "fs", "nouveaux": "mp", "nouvelles": "fp",
    "beau": "ms", "bel": "ms", "belle": "fs", "beaux": "mp", "belles": "fp",
    "noir": "ms", "noire": "fs", "noirs": "mp", "noires": "fp",
    "blanc": "ms", "blanche": "fs", "blancs": "mp", "blanches": "fp",
    "rouge": "ms fs", "rouges": "mp fp", "célèbre": "ms fs", "célèbres": "mp fp",
    "fatigué": "ms", "fatiguée": "fs", "fatigués": "mp", "fatiguées": "fp",
}  # fmt: skip
DETERMINERS = {"le", "la", "l'", "les", "un", "une", "des", "du"}
DETERMINERS |= {"ce", "cet", "cette", "ces", "mon", "ma", "mes"}
ADJECTIVES = set(AGREES) - DETERMINERS
AFTER_NOUN = {word for word in ADJECTIVES if word[:4] in ("noir", "blan", "roug", "célè", "fati")}
BEFORE_NOUN = ADJECTIVES - AFTER_NOUN
SINGULAR_VERBS = {"est", "voit", "regarde", "suit", "aime", "dort"}
PLURAL_VERBS = {"sont", "voient", "regardent", "suivent", "aiment", "dorment"}


@pytest.mark.parametrize(
    ("arguments", "english", "french"),
    [
        (("the", "tree"), "the tree", "l'arbre"),
        (("the", "owl"), "the owl", "le hibou"),
        (("the", "tree", False, "old"), "the old tree", "le vieil arbre"),
        (("the", "owl", False, "old"), "the old owl", "le vieux hibou"),
        (("a", "man", False, "new"), "a new man", "un nouvel homme"),
        (("a", "bird", False, "small", "white"), "a small white bird", "un petit oiseau blanc"),
        (("some", "bird", True), "some birds", "des oiseaux"),
        (("some", "bird", True, "", "black"), "some black birds", "des oiseaux noirs"),
        (("some", "bird", True, "beautiful"), "some beautiful birds", "de beaux oiseaux"),
        (("a", "tree", False, "", "", True), "a tree", "d'arbre"),
        (("a", "owl", False, "", "", True), "an owl", "de hibou"),
        (("some", "school", True, "", "", True), "any schools", "d'écoles"),
        (("some", "car", True, "", "red", True), "any red cars", "de voitures rouges"),
        (("a", "man", False, "old", "", True), "an old man", "de vieil homme"),
        (("the", "horse", True, "", "white", True), "the white horses", "les chevaux blancs"),
        (("this", "man"), "this man", "cet homme"),
        (("this", "man", False, "old"), "this old man", "ce vieil homme"),
        (("this", "owl"), "this owl", "ce hibou"),
        (("this", "school"), "this school", "cette école"),
        (("this", "tree", True, "old"), "these old trees", "ces vieux arbres"),
        (("my", "school"), "my school", "mon école"),
        (("my", "school", False, "old"), "my old school", "ma vieille école"),
        (("my", "car", True, "old", "red"), "my old red cars", "mes vieilles voitures rouges"),
    ],
)  # fmt: skip
def test_a_phrase_is_translated_as_a_grammar_book_says(arguments, english, french):
    """Article, adjectives and noun agree, stand in order, and are shortened before a vowel."""
    words = []
    spelled = _spelled(noun_phrase(words, *arguments))
    assert written(words) == english
    assert written([word for word, _ in spelled]) == french


@pytest.mark.parametrize(
    ("french", "expected"),
    [
        ("de le jardin", "du jardin"),
        ("de le arbre", "de l'arbre"),
        ("de la école", "de l'école"),
        ("de les arbres", "des arbres"),
        ("de un arbre", "d'un arbre"),
        ("ne est pas", "n'est pas"),
        ("ne voit pas", "ne voit pas"),
    ],
)
def test_little_words_are_elided_before_they_are_contracted(french, expected):
    """Before a vowel "de le" stays apart, as "le" has become "l'" first."""
    spelled = _spelled([(word, (i,)) for i, word in enumerate(french.split())])
    assert written([word for word, _ in spelled]) == expected


def test_vowels_are_those_of_the_list():
    """The h of "homme" is not sounded, that of "hibou" counts as a consonant."""
    assert {word for word in FRENCH[3:] if starts_with_vowel(word)} >= VOWEL
    assert not any(map(starts_with_vowel, ("hibou", "hiboux", "voit", "derrière")))


def test_everything_around_a_noun_agrees_with_it():
    """Determiners and adjectives next to a noun have its gender and number."""
    for pair in PAIRS:
        words = pair.target
        for i, word in enumerate(words):
            if word not in FORM:
                continue
            start = i
            while start and (words[start - 1] in AGREES and words[start - 1] not in AFTER_NOUN):
                start -= 1
            around = list(words[start:i]) + [w for w in words[i + 1 : i + 2] if w in AFTER_NOUN]
            for neighbour in around:
                assert FORM[word] in AGREES[neighbour].split(), written(words)


def test_verbs_and_predicates_agree_with_the_subject():
    """Every verb has the number of its clause's first noun, and so has what "is" says of it."""
    for pair in PAIRS:
        for clause in written_clauses(pair.target):
            subject = FORM[next(word for word in clause if word in FORM)]
            for i, word in enumerate(clause):
                if word in SINGULAR_VERBS | PLURAL_VERBS:
                    assert (word in PLURAL_VERBS) == (subject[1] == "p"), written(pair.target)
                if word in ("est", "sont"):
                    said = next(w for w in clause[i + 1 :] if w not in ("pas", "très"))
                    assert said in ADJECTIVES and subject in AGREES[said].split()


def written_clauses(words):
    """Return the parts between "et", "mais" and the full stop."""
    parts, part = [], []
    for word in words:
        if word in ("et", "mais", "."):
            parts.append(part)
            part = []
        else:
            part.append(word)
    return parts


def test_short_forms_stand_before_vowels_and_only_there():
    """l', d', n', cet, mon with a feminine noun, vieil, nouvel and bel: if and only if a vowel."""
    for pair in PAIRS:
        for word, after in itertools.pairwise(pair.target):
            vowel = after in VOWEL
            if word in ("l'", "d'", "n'", "cet", "vieil", "nouvel", "bel"):
                assert vowel, written(pair.target)
            if word in ("le", "la", "de", "ne", "ce", "ma", "du"):
                assert not vowel, written(pair.target)
            if word in ("vieux", "nouveau", "beau") and vowel and after in FORM:
                assert FORM[after] == "mp" and word == "vieux", written(pair.target)
            if word == "mon" and FORM.get(after, "f")[0] == "f":
                assert vowel or after in BEFORE_NOUN


def test_de_after_negation_and_before_plural_adjectives():
    """No "un", "une" or "des" follows "pas", nor "des" an adjective unless it is "de les"."""
    for pair in PAIRS:
        for i, word in enumerate(pair.target[:-1]):
            after = pair.target[i + 1]
            assert not (word == "pas" and after in ("un", "une", "des")), written(pair.target)
            if word == "des" and after in BEFORE_NOUN:
                assert pair.target[i - 1] == "près" and "the" in links_of(pair, i)
            assert (word, after) not in {("de", "le"), ("de", "les"), ("de", "des"), ("d'", "des")}


def links_of(pair, t):
    return [pair.source[s] for s in pair.alignment[t]]


def test_colours_stand_behind_the_noun_and_others_before():
    """An adjective next to a noun is on its side, unless "is" says it."""
    for pair in PAIRS:
        for word, after in itertools.pairwise(pair.target):
            assert not (word in AFTER_NOUN and after in FORM), written(pair.target)
            assert not (word in FORM and after in BEFORE_NOUN), written(pair.target)


def test_the_alignment_links_words_that_translate_each_other():
    """Every word on either side is linked, nouns and adjectives to their dictionary entries."""
    means = {"arbre": "tree", "chevaux": "horses", "vieil": "old", "noires": "black", "qui": "who"}
    means |= {"pas": "not", "très": "very", "près": "near", "et": "and", ".": ".", "cet": "this"}
    for pair in PAIRS:
        matrix = alignment_matrix(pair)
        assert matrix.shape == (len(pair.target), len(pair.source))
        assert matrix.any(0).all() and matrix.any(1).all(), written(pair.source)
        for t, word in enumerate(pair.target):
            links = links_of(pair, t)
            assert word not in means or links == [means[word]]
            if word in ("regarde", "regardent"):
                assert links[-2][:4] == "look" and links[-1] == "at"
            if word == "du":
                assert links == ["near", "the"]
    crossed = sum((np.diff([links[0] for links in p.alignment]) < 0).any() for p in PAIRS)
    assert 0.3 < crossed / len(PAIRS) < 0.9


def test_one_english_sentence_has_one_translation():
    """The task has a single right answer, so that exact match is a fair score."""
    translations = {}
    for pair in translation_pairs(6000, np.random.default_rng(5)) + PAIRS:
        assert translations.setdefault(pair.source, pair.target) == pair.target
    assert len(translations) < 12000, "no sentence was drawn twice, so nothing was tested"


def test_held_out_sentences_are_new():
    """Excluded sentences do not come again, and none comes twice; a seed gives the same pairs."""
    held_out = translation_pairs(500, np.random.default_rng(12), exclude=PAIRS[:400])
    sources = {pair.source for pair in held_out}
    assert len(sources) == 500 and not sources & {pair.source for pair in PAIRS[:400]}
    assert translation_pairs(50, np.random.default_rng(12)) == PAIRS[:50]


def test_sentences_are_no_longer_than_asked():
    """``longest`` holds on both sides."""
    short = translation_pairs(300, np.random.default_rng(1), longest=9)
    assert max(max(len(p.source), len(p.target)) for p in short) == 9


def test_sentences_have_as_many_clauses_as_asked():
    """Two clauses are joined once, three twice; in every one the verb agrees with its subject."""
    for clauses in (1, 2, 3):
        for pair in translation_pairs(100, np.random.default_rng(2), longest=60, clauses=clauses):
            joined = sum(word in ("and", "but") for word in pair.source)
            assert joined == clauses - 1 == sum(word in ("et", "mais") for word in pair.target)
            assert alignment_matrix(pair).any(1).all()


def test_vocabularies_are_complete_and_have_no_word_twice():
    """Every word of the pairs has an index, every index but the special ones is used."""
    for vocabulary, side in ((ENGLISH, "source"), (FRENCH, "target")):
        assert len(set(vocabulary)) == len(vocabulary)
        used = {word for pair in PAIRS for word in getattr(pair, side)}
        assert used == set(vocabulary[3:])
    assert encode(("le", "chat"), FRENCH) == [3, FRENCH.index("chat"), EOS]
