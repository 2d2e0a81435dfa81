"""What a template asks with constants is answered while it is compiled, and nobody can tell from the page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import nodes
from jinja2.compiler import CodeGenerator

from instance import i18n, rendering
from instance.views import cards

OPEN = ("/", "/sign-in", "/help")
PAGES = (
    *("/federation", "/help", "/privacy", "/accessibility", "/feed?tab=all", "/feed?before=1-0", "/write"),
    *("/search", "/colleagues", "/colleagues/followers", "/notices", "/me", "/doctors/marie", "/posts/nope"),
)
TEMPLATES = sorted(rendering.environment("en", "FR").list_templates())


@pytest.fixture
def unsettled(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Call it, and templates are compiled as Jinja does by itself."""

    def forget() -> None:
        rendering.environment.cache_clear()
        cards._pieces.clear()

    def change() -> None:
        monkeypatch.setattr(rendering.Pages, "code_generator_class", CodeGenerator)
        forget()

    forget()
    yield change
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("language", i18n.LANGUAGES)
async def test_pages_are_the_same_without_it(house, unsettled, language):
    """Every byte of every page, in each language."""
    marie, somebody = await house.doctor("marie"), house.visitor()

    async def every_page() -> list[str]:
        asked = [(somebody, path) for path in OPEN] + [(marie, path) for path in PAGES]
        pages = [await reader.text(path, **{"Accept-Language": language}) for reader, path in asked]
        return [re.sub(r'name="form_key" value="\w+"', "", page) for page in pages]

    settled = await every_page()
    unsettled()

    assert settled == await every_page()
    assert all(f'<html lang="{language}"' in page for page in settled)


def test_a_text_is_put_in_once(unsettled):
    """What depends on nothing is not asked for on any page; the twin, on one compiled by Jinja alone, is."""
    source = "<p>{{ t('feed.title') }}{{ icon('pen') }}{{ asset('app.css') }}</p>"
    settled = str(rendering.environment("de", "DE").compile(source, raw=True))
    unsettled()
    plain = str(rendering.environment("de", "DE").compile(source, raw=True))

    assert ("context.call" in settled, "context.call" in plain) == (False, True)
    assert ("<svg" in settled, "<svg" in plain) == (True, False)


def test_what_is_put_in_is_escaped():
    """A text is text, in whatever language; only what is markup stays so."""
    made = rendering.environment("en", "FR").overlay()
    made.globals = {**made.globals, "t": lambda key: f'<b>"{key}"', "asset": lambda name: "a&b"}
    shown = made.from_string("{{ t('x') }}<a href=\"{{ asset('y') }}\">{{ icon('pen') }}").render()

    assert shown.startswith('&lt;b&gt;&#34;x&#34;<a href="a&amp;b"><svg')


@pytest.mark.parametrize("call", ["t(key)", "t('post.answers', **values)", "t('nothing.of.the.kind')", "other('x')"])
def test_what_is_not_settled_is_left_to_the_page(call):
    """A key that is a value, or that there is none of, is asked for where it is shown, and only if it is."""
    template = rendering.environment("en", "FR").from_string("{% if shown %}{{ " + call + " }}{% endif %}.")

    assert "." == template.render(shown=False, key="feed.title", values={})
    with pytest.raises(Exception, match=r"nothing|post\.answers|undefined|feed"):
        template.render(shown=True, key="nothing", values={})


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_calls_anything_else_by_these_names(name):
    """A variable, parameter, macro or import of that name would be taken for what is answered beforehand."""
    made = rendering.environment("en", "FR")
    tree = made.parse(made.loader.get_source(made, name)[0])
    stored = {found.name for found in tree.find_all(nodes.Name) if found.ctx != "load"}
    named = {found.name for found in tree.find_all(nodes.Macro)}
    taken = {
        word if isinstance(word, str) else word[1] for found in tree.find_all(nodes.FromImport) for word in found.names
    }
    taken |= {found.target for found in tree.find_all(nodes.Import)}
    # The drawings themselves are a macro of that name, which nothing in its own file calls.
    own = {"icon"} if name == "_icons.html" else set()

    assert set() == (stored | named | taken) & rendering._SETTLED - own


def test_pages_and_words_are_those_the_process_began_with(tmp_path: Path) -> None:
    """A new version put in place beneath a running server shows nowhere: old code would not know its words."""
    copy = tmp_path / "instance"
    shutil.copytree(Path(rendering.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    began = (
        "from instance import i18n, rendering\nrendering.read_all()\n"
        f"import pathlib; here = pathlib.Path(rendering.__file__).parent; assert here == pathlib.Path({str(copy)!r})\n"
        "for path in (*here.glob('pages/*.html'), *here.glob('locale/*/*/messages.po')): path.write_text('')\n"
        "made = rendering.environment('fr', 'FR')\n"
        "print(len(made.loader.get_source(made, 'home.html')[0]), i18n.catalogue('fr').text('feed.title'))"
    )
    root = Path(rendering.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-P", "-c", began], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{root}", "LANG": "C.UTF-8"},
    )  # fmt: skip

    size = len((root / "instance" / "pages" / "home.html").read_text("utf-8"))
    assert f"{size} {i18n.catalogue('fr').text('feed.title')}" == done.stdout.strip()
    assert "" == (copy / "pages" / "home.html").read_text()
