"""The site shows every page, and names them in the order of its navigation."""

from __future__ import annotations

import re
import tomllib

import pytest
from doc_pages import ROOT, text_of

from docs_build import relative_links
from docs_build.blocks import PARTS, files_of, pages
from docs_build.links import problems_for_language_models, problems_of

CONFIG = text_of("mkdocs.yml")
NAVIGATION = re.findall(r": ([\w/-]+\.md)$", CONFIG, re.MULTILINE)


def test_every_page_is_in_the_navigation():
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert sorted(NAVIGATION) == sorted(pages)


def test_language_models_get_the_guide_in_the_same_order():
    listed = re.findall(r"^ {8}- (\w+\.md)$", CONFIG, re.MULTILINE)
    assert listed == [page for page in NAVIGATION if "/" not in page]


def test_every_extra_is_explained():
    extras = tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]
    assert [name for name in extras if f"`{name}`" not in text_of("docs/install.md")] == []


def test_type_checkers_get_every_block():
    """Each block of the README and of every page is in one of the files, at its own line."""
    found = {"README.md": "README"} | {page: page.removesuffix(".md") for page in NAVIGATION if "/" not in page}
    for path, page in found.items():
        text = text_of(path if page == "README" else f"docs/{path}")
        blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if blocks and page not in PARTS:
            assert page in pages()
            written = "".join(files_of(page).values())
            assert [block for block in blocks if block not in written] == []


def test_broken_links_are_found(tmp_path):
    page = tmp_path / "index.html"
    page.write_text(
        '<h1 id="top"></h1><a href="#top"></a><a href="other.html#x"></a><a href="#none"></a><a href="https://x.org"></a>'
        '<img src="no.png"><script src="https://cdn.example.com/a.js"></script><link rel="canonical" href="https://x.org">'
    )
    (tmp_path / "other.html").write_text('<p id="x"></p>')
    described = [problem.partition(": ")[2] for problem in problems_of(page, tmp_path)]
    assert sorted(described) == [
        "#none leads nowhere",
        "loads https://cdn.example.com/a.js",
        "no.png leads nowhere",
    ]


def test_language_models_get_every_page(tmp_path):
    assert len(problems_for_language_models(tmp_path)) == 1
    for page in ("index.html", "index.md", "labels/index.html", "labels/index.md", "bulk/index.html", "bulk/index.md"):
        (tmp_path / page).parent.mkdir(exist_ok=True)
        (tmp_path / page).write_text("")
    (tmp_path / "llms-full.txt").write_text("")
    links = "- [Home](<http://localhost/docs/index.md>)\n- [Labels](<http://localhost/docs/labels/index.md>)\n"
    (tmp_path / "llms.txt").write_text(f"{links}- [None](<http://localhost/docs/none/index.md>)\n")

    missing, lacking = problems_for_language_models(tmp_path)

    assert missing.endswith("none/index.md leads nowhere")
    assert lacking.endswith("lacks " + str(tmp_path / "bulk/index.md"))
    (tmp_path / "llms.txt").write_text(f"{links}- [Bulk](<http://localhost/docs/bulk/index.md>)\n")
    assert problems_for_language_models(tmp_path) == []
    (tmp_path / "bulk/index.md").unlink()
    assert len(problems_for_language_models(tmp_path)) == 2


def test_links_are_relative_where_the_site_has_no_address(tmp_path, monkeypatch):
    (tmp_path / "labels").mkdir()
    page, listed = tmp_path / "labels" / "index.md", tmp_path / "llms.txt"
    text = "[a](<http://localhost:8000/bulk/#x>), `http://localhost:8000/docs`, [b](<https://example.com/>)"
    page.write_text(text)
    listed.write_text(text)

    monkeypatch.setenv("SITE_URL", "https://docs.test/")
    relative_links.main(str(tmp_path))
    assert page.read_text() == text
    monkeypatch.delenv("SITE_URL")
    relative_links.main(str(tmp_path))
    assert page.read_text() == text.replace("<http://localhost:8000/", "<../")
    assert listed.read_text() == text.replace("<http://localhost:8000/", "<./")


def test_members_that_the_reference_lacks_are_found():
    """Those of bases that the site does not show too; arguments count as explained."""
    members = pytest.importorskip("docs_build.members", reason="the extra docs is not installed here")
    package = members.read_package()

    lacking = members.Reference(package, {"segments_async.sandbox", "segments_async.sandbox.Sandbox"})

    assert "segments_async.sandbox.Call" in lacking.missing_names()
    assert {"segments_async.sandbox.Sandbox.fail", "segments_async.sandbox.Sandbox.url"} <= set(
        lacking.missing_members()
    )
    assert "segments_async.sandbox.Sandbox.latency" not in lacking.missing_members()
    anchors = {f"segments_async.sandbox.{name}" for name in ("Call", "Sandbox", "Sandbox.fail", "Sandbox.url")}
    shown = members.Reference(package, anchors)
    assert not {"segments_async.sandbox.Call", "segments_async.sandbox.Sandbox"} & set(shown.missing_names())
    assert not {"segments_async.sandbox.Sandbox.fail", "segments_async.sandbox.Sandbox.url"} & set(
        shown.missing_members()
    )


def test_docstrings_link_to_pages():
    to_markdown = pytest.importorskip(
        "docs_build.docstrings", reason="the extra docs is not installed here"
    ).to_markdown
    assert to_markdown("See ``docs/scale.md``.") == "See [Many processes, one limit](../scale.md).\n"


def test_enums_list_their_values():
    griffe = pytest.importorskip("griffe", reason="the extra docs is not installed here")
    extensions = griffe.load_extensions("docs_build/docstrings.py")
    package = griffe.load("segments_async", search_paths=[str(ROOT)], extensions=extensions)
    assert "LABELER = 'labeler'\n" in package["models.enums.Role"].docstring.value


def test_diagrams_become_pictures():
    """Each with names of its own, and nothing that a browser would load."""
    draw = pytest.importorskip("docs_build.diagrams", reason="the extra docs is not installed here").draw
    page = draw('<p>a</p><pre class="diagram"><code>flowchart TD\n    a --&gt; b</code></pre>' * 2)
    assert page.count("<svg") == 2
    assert "--&gt;" not in page
    assert {'id="diagram-1"', 'id="diagram-2"'} <= set(re.findall(r'id="diagram-\d"', page))
    assert "<script" not in page
