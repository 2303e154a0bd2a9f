"""Docstrings start with a verb and read as in other Python libraries."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "customlabels_nb"

#: Verbs that a summary may start with. Add the one you need.
VERBS = """
    accept adapt add align allocate announce append apply approve arrange ask assign attach augment begin bin blend
    build bundle cache calibrate call cancel cast change check choose clear clip close collapse collate collect color
    combine compare complete compress compute concatenate confirm connect convert copy correct count cover create crop
    cut darken decide decode decompress decorate deduplicate delete derive describe detach detect determine disable
    display distribute divide download draw drop edit embed enable encode end enlarge enter escape estimate evaluate
    exit expand explain export express extend extract factorize fetch fill filter find fine-tune finish fit flatten
    flip flush fold forget format forward free freeze generate get give group guess handle hash hide highlight hold
    implement import increase increment indent infer initialise insert install invert iterate join keep label lay let
    limit link list listen load locate lock log look make map mark mask match measure merge migrate mirror mount move
    name normalise notify number open order pack pad paint pair parse partition pass paste pause perform pick place
    plan plot predict prefetch prepare preprocess print project provide prune publish push put queue raise randomise
    rank read recognise record rectify redo reduce refresh refuse register reject relabel release reload remember
    remove rename render reorder repair repeat replace report request rescan reserve reset resize resolve respond
    restore restrict resume retry return revert review rewrite rotate round run sample save scale scan schedule search
    seed select send separate serialise serve set shorten show shrink shuffle shut simulate skip smooth solve sort
    split stack stage start stop store stratify stretch strip submit subtract suggest sum summarise suppress switch
    take tell test tile time toggle track train transform translate trim truncate try turn undo unload unlock unpack
    update upload use validate verify visit wait wake walk warn warp watch weigh weight widen wrap write yield zoom
    """
PROPERTY = re.compile(r"\b(property|cached_property|setter)\b")


class Summary(NamedTuple):
    """Summary of a docstring and where it is."""

    place: str
    text: str
    is_function: bool


@cache
def summaries() -> tuple[Summary, ...]:
    """Return the summaries of all docstrings in the package."""
    return tuple(_read())


def _read() -> Iterator[Summary]:
    """Yield the summaries of all docstrings."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                continue
            doc = ast.get_docstring(node)
            if doc:
                name = getattr(node, "name", "")
                is_property = any(PROPERTY.search(ast.unparse(each)) for each in getattr(node, "decorator_list", ()))
                is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_property
                yield Summary(f"{path.relative_to(ROOT)}:{name}", doc.partition("\n\n")[0], is_function)


def starts_with_verb(summary: str) -> bool:
    """Return True if the first word is an imperative: "Return", but not "What", "Images" or "Reading"."""
    return re.match(r"[A-Za-z-]*", summary)[0].lower() in VERBS.split()  # type: ignore[index]


@pytest.mark.parametrize(
    ("summary", "verb"),
    [
        ("Return the mean.", True),
        ("Compress a file.", True),
        ("What a file holds.", False),
        ("The mean.", False),
        ("Images of a dataset.", False),
        ("Reading of a file.", False),
        ("``name``, escaped.", False),
    ],
)
def test_verbs_are_recognised(summary: str, verb: bool) -> None:
    assert starts_with_verb(summary) == verb


def test_function_docstrings_start_with_a_verb() -> None:
    functions = [each for each in summaries() if each.is_function]
    assert len(functions) > 1500
    without = [f"{each.place}: {each.text}" for each in functions if not starts_with_verb(each.text)]
    assert len(without) <= 0.1 * len(functions), "\n".join(without)


def test_summaries_do_not_open_with_a_question_word() -> None:
    found = [f"{s.place}: {s.text}" for s in summaries() if re.match(r"(What|Which|Whether|How)\b", s.text)]
    assert len(found) <= 0.01 * len(summaries()), "\n".join(found)


def test_summaries_have_no_semicolon() -> None:
    found = [f"{each.place}: {each.text}" for each in summaries() if ";" in each.text]
    assert len(found) <= 0.01 * len(summaries()), "\n".join(found)


def test_documented_parameters_exist() -> None:
    section = re.compile(r"\nParameters\n-+\n(.*?)(?=\n\n\w[\w ]*\n-{3,}\n|\Z)", re.DOTALL)
    wrong, checked = [], 0
    for path in sorted((ROOT / "customlabels_nb").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            listed = section.search(ast.get_docstring(node) or "")
            if listed is None:
                continue
            arguments = [node.args.vararg, node.args.kwarg, *node.args.posonlyargs, *node.args.args]
            names = {argument.arg for argument in [*arguments, *node.args.kwonlyargs] if argument is not None}
            for line in re.findall(r"^\S.*", listed[1], re.MULTILINE):
                documented = {name.strip().lstrip("*") for name in line.partition(" : ")[0].split(",")}
                checked += len(documented)
                wrong += [f"{path.relative_to(ROOT)}: {node.name}({name})" for name in documented - names]
    assert checked > 300
    assert not wrong, "\n".join(wrong)


def test_javascript_lines_have_at_most_120_columns() -> None:
    files = [path for folder in ("customlabels_nb", "tests") for path in (ROOT / folder).rglob("*.js")]
    assert len(files) > 150
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > 120
    ]
    assert not long, "\n".join(long)


def test_no_script_is_left_out_of_the_type_check() -> None:
    files = (ROOT / "customlabels_nb" / "widgets" / "static").rglob("*.js")
    assert not sorted(path.name for path in files if "@ts-nocheck" in path.read_text("utf-8"))


def test_the_glossary_has_the_terms_of_the_field() -> None:
    text = (ROOT / "docs" / "concepts" / "glossary.md").read_text("utf-8")
    terms = re.findall(r"^\| ([\w -]+) \| .+\. \|$", text, re.MULTILINE)
    assert len(terms) >= 25
    assert terms == sorted(terms, key=str.lower)
    assert {"annotation", "confidence", "ground truth", "IoU", "metric", "prediction", "threshold"} <= set(terms)
