"""Links between the documents lead to a file, and to a heading where they name one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")


def documents(root: Path) -> list[Path]:
    """Return the Markdown files of the project, and none that tools keep in hidden directories."""
    tops = [*root.glob("*.md"), *(root / name for name in ("core", "plugins", "docs", "benchmarks", "examples"))]
    found = [path for top in tops for path in ([top] if top.is_file() else top.rglob("*.md"))]
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))


def anchors(text: str) -> set[str]:
    """Return the anchors that forges make of the headings."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number, unique = 0, anchor
        while unique in found:
            number += 1
            unique = f"{anchor}-{number}"
        found.add(unique)
    return found


def broken_links(document: Path) -> Iterator[str]:
    text = CODE.sub("", FENCE.sub("", document.read_text()))
    for match in LINK.finditer(text):
        target = match.group(1) or match.group(2)
        if re.match(r"[a-z][a-z0-9+.-]*:", target):  # elsewhere: https, mailto
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name) if name else document
        if not path.exists():
            yield f"{document}: {target}: no such file"
        elif anchor and anchor not in anchors(path.read_text()):
            yield f"{document}: {target}: no such heading"


def test_the_links_between_the_documents_resolve(pytestconfig):
    root = pytestconfig.rootpath
    found = documents(root)
    assert root / "docs" / "README.md" in found
    assert [problem.removeprefix(f"{root}/") for document in found for problem in broken_links(document)] == []


def test_every_document_is_reached_from_the_readme(pytestconfig):
    # Given the files that are part of the project
    root = pytestconfig.rootpath
    listed = subprocess.run(["git", "ls-files", "docs"], cwd=root, capture_output=True, text=True, check=False)
    documents_of_project = {(root / name).resolve() for name in listed.stdout.splitlines() if name.endswith(".md")}
    # When following links from the README
    reached, pending = set(), [root / "README.md"]
    while pending:
        document = pending.pop().resolve()
        if document in reached or document.suffix != ".md" or not document.is_file():
            continue
        reached.add(document)
        text = CODE.sub("", FENCE.sub("", document.read_text()))
        pending += [
            document.parent / match.group(1).partition("#")[0] for match in LINK.finditer(text) if match.group(1)
        ]
    # Then none of docs/ is left over
    assert documents_of_project - reached == set()


def test_a_broken_link_is_seen(tmp_path):
    document = tmp_path / "a.md"
    document.write_text(
        "# A `b` c!\n[1](a.md#a-b-c) [2](a.md#nowhere) [3](gone.md) `[4](code.md)` [5](https://x.org/)\n"
    )
    assert [problem.partition(": ")[2] for problem in broken_links(document)] == [
        "a.md#nowhere: no such heading",
        "gone.md: no such file",
    ]
