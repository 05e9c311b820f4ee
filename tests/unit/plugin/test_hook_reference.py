"""The reference page of the hooks says what the hooks say, to the letter."""

from __future__ import annotations

import ast
import inspect
import re

import pytest

from celeriac.plugin.reference import render, section_of, signature_of
from celeriac.plugin.specs import HOOKS

#: What each hook says of itself, in this order; the resolution hooks say which result counts.
SAID = ["Called", "For", "Parameters", "Returns", "Default", "Since"]


@pytest.fixture(scope="session")
def page(pytestconfig):
    return (pytestconfig.rootpath / "docs" / "reference" / "hooks.md").read_text()


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_heading_with_its_exact_signature(page, hook):
    assert f"\n### `{signature_of(hook)}`\n" in page


@pytest.mark.parametrize("hook", HOOKS)
def test_the_section_of_a_hook_is_its_text(page, hook):
    assert section_of(hook) in page


def test_the_page_has_no_other_hook_and_keeps_the_order(page):
    # `celeriac plugins hooks` prints what the page must have from its first phase on.
    assert page[page.index("\n## ") + 1 :] == render()


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_says_when_who_what_and_since(hook):
    said = re.findall(r"^- (\w+):", section_of(hook), re.MULTILINE)
    assert [word for word in said if word != "Results"] == SAID


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_says_what_becomes_of_several_results(hook):
    options = HOOKS[hook].celeriac_spec
    text = section_of(hook)
    if options["historic"]:
        assert "- Returns: nothing." in text
        assert "A plugin registered later is told at once." in re.sub(r"\s+", " ", text)
    elif options["firstresult"]:
        assert "- Results: the first that is not None." in text
    else:
        assert "- Results: all are" in text


@pytest.mark.parametrize("hook", HOOKS)
def test_each_parameter_is_spoken_of(hook):
    parameters = list(inspect.signature(HOOKS[hook]).parameters)
    said = re.search(r"- Parameters: (.*?)\n- Returns", section_of(hook), re.DOTALL).group(1)
    for parameter in parameters:
        assert f"`{parameter}`" in said
    if not parameters:
        assert said == "none."


@pytest.mark.parametrize("hook", HOOKS)
def test_each_example_implements_its_hook(hook):
    (example,) = re.findall(r"```python\n(.*?)```", section_of(hook), re.DOTALL)
    (function,) = [node for node in ast.parse(example).body if isinstance(node, ast.FunctionDef)]
    assert function.name == hook
    assert [ast.unparse(decorator) for decorator in function.decorator_list] == ["hookimpl"]
    known = set(inspect.signature(HOOKS[hook]).parameters)
    assert {argument.arg for argument in function.args.args} <= known
