"""Automata compared with `re.fullmatch`, and patterns that take it exponential time."""

import itertools
import re
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.inference.decoding.automaton import MAX_STATES, Automaton, ConstraintError, any_text, members
from app.inference.decoding.patterns import MAX_LENGTH, compile_pattern, lacking_characters
from tests.properties import examples

VOCAB = "ab1_ -é٣\n"
HOSTILE = 1.0
"""Maximum CPU seconds of a pattern."""


def allows(automaton: Automaton, text: str, vocab: str = VOCAB) -> bool:
    states = {0}
    for character in text:
        following = {after for state in states for after in members(automaton.follows[state])}
        states = {state for state in following if automaton.reads[state] >> vocab.index(character) & 1}
    return any(automaton.accepting >> state & 1 for state in states)


def matches(pattern: str, text: str, vocab: str = VOCAB) -> bool:
    return allows(compile_pattern(pattern, vocab), text, vocab)


def groups(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return inner.map("({})".format) | inner.map("(?:{})".format) | inner.map("(?P<name>{})".format)


def repeats(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    counts = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(sorted)
    exact = st.sampled_from(["{0}", "{1}", "{3}", "{2,}", "{,2}", "{,}", "{0,0}"])
    braces = counts.map(lambda ends: f"{{{ends[0]},{ends[1]}}}")
    return st.builds(
        "(?:{}){}{}".format, inner, st.sampled_from("*+?") | exact | braces, st.sampled_from(["", "", "?"])
    )


def classes() -> st.SearchStrategy[str]:
    members = st.lists(st.sampled_from(["a", "b", "1", "_", r"\-", "a-b", "0-9", r"\d", r"\W", r"\S", r"\n", "é"]))
    return st.builds("[{}{}]".format, st.sampled_from(["", "^"]), members.filter(bool).map("".join))


ATOMS = (
    st.sampled_from([*"ab1_ é.", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\n", "x", "{", "{}", "", "[^a]"])
    | st.sampled_from([r"\x61", r"\141", r"\u00e9", r"\N{DIGIT ONE}", "[]a]", "[^]a]", r"[\]b]", "(?#a comment)"])
    | classes()
)
BODIES = st.recursive(
    ATOMS,
    lambda inner: (
        groups(inner.filter(lambda body: "<name>" not in body))
        | repeats(inner)
        | st.lists(inner, min_size=2, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map("|".join)
    ),
    max_leaves=6,
)
PATTERNS = st.builds(
    "{}(?:{}){}".format, st.sampled_from(["", "", "^", r"\A"]), BODIES, st.sampled_from(["", "", "$", r"\Z"])
)


@examples(300)
@given(PATTERNS, st.lists(st.text(st.sampled_from(VOCAB), max_size=6), min_size=8, max_size=8))
@example("(?:a|ab)(?:c|bcd)?|", ["", "a", "ab"])
@example("(?:(?:a*)*b?){2,}", ["", "aab", "bb", "bab"])
@example("a||b", ["", "a", "b", "ab"])
@example("[[a]", ["a"])
def test_an_automaton_allows_what_the_whole_pattern_matches(pattern: str, texts: list[str]) -> None:
    try:
        compiled = re.compile(pattern)
    except (re.error, FutureWarning):
        # A name for two groups, or a set reserved for future syntax.
        assume("[[" in pattern)
        compiled = re.compile(pattern.replace("[[", r"[\["))
    automaton = compile_pattern(pattern, VOCAB)
    for text in texts:
        assert allows(automaton, text) == (compiled.fullmatch(text) is not None), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        ("^ab$", ["ab"], ["a", "abb", "ab\n"]),
        ("^a|b$", ["a", "b"], ["ab", ""]),
        ("(^a$)|(^b$)", ["a", "b"], ["ab", ""]),
        ("((^)a)$", ["a"], ["", "aa"]),
        (r"\Aa+\Z", ["a", "aaaa"], ["", "ab"]),
        ("^$", [""], ["a"]),
        ("", [""], ["a"]),
        ("a+?", ["a", "aa"], [""]),
        (r"(?#a comment)a", ["a"], [""]),
        ("x", [], ["", "a"]),
    ],
)
def test_redundant_anchors_and_comments_are_ignored(pattern: str, allowed: list[str], refused: list[str]) -> None:
    assert [text for text in allowed + refused if matches(pattern, text)] == allowed


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(?=a)a", "look-around"),
        ("(?!b)a", "look-around"),
        ("a(?<=a)", "look-around"),
        ("a(?<!b)", "look-around"),
        (r"(a)\1", "a back-reference"),
        (r"(?P<secret>a)(?P=secret)", "a back-reference"),
        ("(a)?(?(1)b|c)", "a conditional group"),
        ("(?>a*)b", "an atomic group"),
        ("a*+b", "a possessive repeat"),
        (r"\bsecret\b", "an anchor"),
        ("a^b", "an anchor"),
        ("a$b", "an anchor"),
        ("(^a)*", "an anchor"),
        ("(a$)+b", "an anchor"),
        ("(?i)a", "flags"),
        ("(?i:a)", "flags"),
        ("(?-i:a)", "flags"),
        ("(?x) a", "flags"),
    ],
)
def test_unsupported_features_are_refused_by_name(pattern: str, words: str) -> None:
    with pytest.raises(ConstraintError, match=f"^The pattern uses {re.escape(words)}.* not supported here[.]$"):
        compile_pattern(pattern, VOCAB)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("[secret", "unterminated character set, at position 0"),
        ("(secret", "missing ), at position 0"),
        ("secret)", "unbalanced parenthesis, at position 6"),
        ("*secret", "nothing to repeat, at position 0"),
        ("a**secret", "multiple repeat, at position 2"),
        ("[z-secret]{3}[z-a]", "bad character range"),
        ("a{3,2}secret", "min repeat greater than max repeat"),
        (r"\secret\q", "bad escape, at position 7"),
        ("(?P<secret", "invalid syntax"),
        (r"(?P=secret)", "invalid syntax"),
        (r"\N{secret}", "invalid syntax"),
        ("(?<secret)", "unknown extension"),
        (f"secret{{{10**20}}}", "it repeats too often"),
        ("(?a)(?u)secret", "its flags contradict each other"),
    ],
)
def test_errors_name_the_mistake_without_repeating_the_pattern(pattern: str, words: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        compile_pattern(pattern, VOCAB)
    assert str(caught.value).startswith("The pattern is not a regular expression: ")
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@examples(200)
@given(st.text(st.sampled_from("ab^$()[]{}|*+?.\\-,019dwsPN<>=!:#i") | st.characters(), max_size=30))
@example("(?a)(?u)")
def test_any_pattern_is_compiled_or_refused(pattern: str) -> None:
    refused = ""
    try:
        assert len(compile_pattern(pattern, VOCAB).reads) <= MAX_STATES
    except ConstraintError as error:
        refused = str(error)
    assert not refused or re.fullmatch(r"The pattern .+\.", refused)


def test_the_longest_and_the_largest_patterns_are_still_compiled() -> None:
    assert matches("a?" * (MAX_LENGTH // 2), "a" * (MAX_LENGTH // 2))
    assert matches(f"a{{{MAX_STATES - 1}}}", "a" * (MAX_STATES - 1))
    with pytest.raises(ConstraintError, match=f"longer than {MAX_LENGTH}"):
        compile_pattern("a" * (MAX_LENGTH + 1), VOCAB)
    with pytest.raises(ConstraintError, match="too large"):
        compile_pattern(f"a{{{MAX_STATES}}}", VOCAB)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a{1,1000}){1,1000}",
        "((((a{1,99}){1,99}){1,99}){1,99}){1,99}",
        "(){4000000000}",
        "((){60000}){60000}",
        "(|){4000000000}",
        "(?:)" * 50,
        "(a|){1000000}",
        "(" * 100 + "a" + ")" * 99,
        "(" * 99 + "a" + ")*" * 50 + ")" * 49,
        "(" * 200,
        "[" + r"\d\w\s\D\W\S" * 16 + "]{199}",
        "(a?){199}",
        "(a*)*" * 40,
        "(?:a|a?)+" * 22,
        f"{{{'9' * 198}}}",
        f"a{{{'9' * 197}}}",
    ],
)
def test_hostile_patterns_are_compiled_or_refused_at_once(pattern: str) -> None:
    vocab = "".join(map(chr, range(33, 333)))
    started = time.thread_time()
    try:
        automaton = compile_pattern(pattern, vocab)
    except ConstraintError:
        pass
    else:
        allows(automaton, "a" * 50 + "!", vocab)
    assert time.thread_time() - started < HOSTILE


@pytest.mark.parametrize("pattern", [".?" * 99, r"\w?" * 66, "".join(f"[^{chr(0x4E00 + n)}]?" for n in range(40))])
def test_patterns_are_compiled_at_once_for_a_vocabulary_of_20_000_characters(pattern: str) -> None:
    vocab = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    started = time.thread_time()
    compile_pattern(pattern, vocab)
    assert time.thread_time() - started < HOSTILE / 5


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|aa)+", "(a|a?)+", "(.*)*", "(.*a){20}"])
def test_patterns_that_cause_backtracking_take_linear_time(pattern: str) -> None:
    started = time.thread_time()
    assert not matches(pattern, "a" * 5000 + "b") or pattern.startswith("(.*)")
    assert time.thread_time() - started < HOSTILE


def test_a_pattern_is_compiled_for_each_vocabulary() -> None:
    assert matches("[^a]", "b", "ab")
    assert matches("[^a]", "c", "abc")
    assert not matches("[^a]", "a", "ca")


def test_threads_may_compile_concurrently_and_warning_filters_are_restored() -> None:
    before = list(warnings.filters)
    patterns = [f"[[a{number}]" for number in range(80)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda pattern: matches(pattern, "a"), patterns))
    assert warnings.filters == before


@pytest.mark.parametrize(
    ("pattern", "is_empty"),
    [("", False), ("a", False), ("x", True), ("ax", True), ("a|x", False), ("ax?", False), ("x*", False), ("x+", True)],
)
def test_a_pattern_without_a_text_of_the_vocabulary_is_empty(pattern: str, is_empty: bool) -> None:
    assert compile_pattern(pattern, VOCAB).is_empty == is_empty


@examples(100)
@given(BODIES.filter(lambda body: "<name>" not in body), st.sampled_from(["a", "ab", "1_"]))
def test_a_pattern_is_empty_exactly_if_no_text_matches(pattern: str, vocab: str) -> None:
    automaton = compile_pattern(pattern, vocab)
    longest = min(len(automaton.follows), 7)
    texts = ("".join(text) for length in range(longest) for text in itertools.product(vocab, repeat=length))
    if any(allows(automaton, text, vocab) for text in texts):
        assert not automaton.is_empty
    elif longest < 7:  # no state is visited twice
        assert automaton.is_empty


@pytest.mark.parametrize(
    ("pattern", "lacking"),
    [
        ("a263", ["'2'", "'6'", "'3'"]),
        ("(x|a)y{2}", ["'x'", "'y'"]),
        ("[xa][xy]", ["the characters at position 4"]),
        (r"\s\x78\.", [r"'\s'", "the characters at position 2", r"'\.'"]),
        ("\n", ["the characters at position 0"]),
        (r"[x\d][^a].", []),
        ("zaz", ["'z'"]),
    ],
)
def test_characters_that_are_not_in_the_vocabulary_are_named(pattern: str, lacking: list[str]) -> None:
    assert lacking_characters(pattern, "ab1") == lacking


def test_a_length_counts_the_characters_whatever_the_pattern() -> None:
    for pattern in ("a*b*", "(?:ab|1)+", ".*"):
        automaton = compile_pattern(pattern, VOCAB).of_length(3)
        for text in ("", "ab", "aab", "abb", "ab1", "aabb", "1ab1"):
            assert allows(automaton, text) == (len(text) == 3 and re.fullmatch(pattern, text) is not None)


def test_a_length_that_no_text_of_the_pattern_has_is_refused() -> None:
    with pytest.raises(ConstraintError, match="No text of 3 characters"):
        compile_pattern("(?:ab)*", VOCAB).of_length(3)
    with pytest.raises(ConstraintError, match="too large to combine"):
        compile_pattern("(?:a?){60}", VOCAB).of_length(30)


def test_any_text_allows_every_text_of_its_characters() -> None:
    every = any_text(len(VOCAB))
    assert all(allows(every, text) for text in ("", "a", "aaa", VOCAB))
    only_b = every.of_characters(1 << VOCAB.index("b"))
    assert [text for text in ("", "a", "b", "bb", "bab") if allows(only_b, text)] == ["", "b", "bb"]
