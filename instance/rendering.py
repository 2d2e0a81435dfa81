"""Pages: Jinja templates, compiled once per language, with everything a template may call.

A template decides nothing and asks nothing: it shows the row types of `instance.views`. Autoescape is always on; the
only markup that passes unescaped is content sanitised at the door (`federation.html`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache, lru_cache, partial
from importlib.resources import files
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from instance import assets, i18n
from instance.times import to_ms

#: Countries with a sentence of their own for "doctors in … only" (articles differ); others have a general one.
_OWN_SENTENCE: Final = frozenset({"AT", "CH", "DE", "ES", "FR", "GB", "IT"})
_BLOCK: Final = re.compile(r"</?(?:p|li|ul|ol|h[1-6]|blockquote|pre|br|table|tr|td|div)\b[^>]*>")
_NEXT_ITEM: Final = re.compile(r"</li>\s*<li\b[^>]*>")
_OPEN_TAG: Final = re.compile(r"<[^>]*\Z")
_OPENING_LENGTH: Final = 300
#: What depends on nothing but its arguments and the environment's language: asked once, while a template is compiled.
_SETTLED: Final = frozenset({"t", "asset", "icon"})
_SAID_BY_ROLE: Final = ("generalist", "general-practice")


def read_all() -> None:
    """Read all pages and words now: what is put in their place while this process runs belongs to another version."""
    _sources()
    for language in i18n.LANGUAGES:
        i18n.source(language)


@cache
def _sources() -> dict[str, str]:
    pages = files("instance").joinpath("pages")
    return {page.name: page.read_text("utf-8") for page in pages.iterdir() if page.name.endswith(".html")}


def render(template: str, language: str, country: str, /, **values: Any) -> str:
    """Return the page or fragment in that language, with times on that country's clock."""
    return environment(language, country).get_template(template).render(values)


@lru_cache(maxsize=64)
def environment(language: str, country: str) -> Environment:
    """Return the compiled templates of one language as one country shows them."""
    made = Pages(
        loader=DictLoader(_sources()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=200,
    )
    words, clock = i18n.catalogue(language), i18n.Clock(language, country)
    measures = i18n.Measures(language)
    made.globals.update(
        t=words.text,
        n=words.count,
        n_one=partial(words.form, 0),
        n_other=partial(words.form, 1),
        language=language,
        country=country,
        languages=[(code, i18n.own_name(code)) for code in i18n.LANGUAGES],
        date=clock.date,
        on=clock.on,
        days=clock.days,
        date_time=clock.date_time,
        machine_time=clock.machine,
        country_name=words.country,
        specialty_name=words.specialty,
        language_name=words.language_name,
        asset=assets.address,
        theme=assets.THEME,
        icon=_icons(made),
        ms=to_ms,
        number=measures.number,
        percent=measures.percent,
        span=measures.span,
        ago=measures.ago,
        size=measures.size,
    )
    phrases = Phrases(words)
    made.globals.update(
        role_line=phrases.role_line,
        audience_line=phrases.audience_line,
        kind=phrases.kind,
        error_text=phrases.error,
        role_name=phrases.role,
        column_name=phrases.column,
        notice_text=phrases.notice,
    )
    made.filters.update(trusted=Markup, opening=opening, listed=json.loads)
    return made


class _Settled(NodeTransformer):
    """Puts the answer in the place of a call of `_SETTLED` with constants; no template uses these names otherwise."""

    def __init__(self, environment: Environment) -> None:
        self._globals = environment.globals

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        """Return the answer as a constant, or the call."""
        node = self.generic_visit(node)  # type: ignore[assignment]
        called, values = node.node, [*node.args, *(given.value for given in node.kwargs)]
        plain = node.dyn_args is None and node.dyn_kwargs is None and all(isinstance(v, nodes.Const) for v in values)
        if not plain or not isinstance(called, nodes.Name) or called.name not in _SETTLED:
            return node
        words = {given.key: given.value.as_const() for given in node.kwargs}
        answers: Callable[..., object] = self._globals[called.name]  # type: ignore[assignment]
        try:
            answer = answers(*(given.as_const() for given in node.args), **words)
        except KeyError:
            return node  # a text that is missing is a fault where it would be shown, not on the whole page
        return nodes.Const(answer, lineno=node.lineno, environment=node.environment)


class _Compiler(CodeGenerator):
    """Jinja's own, handed what `_Settled` leaves: `{{ t('feed.title') }}` is text before the first reader comes.

    A call costs two microseconds and a page has forty: a seventh of what the home feed costs. Where Jinja stops asking
    for this class, pages stay the same and are slower.
    """

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:
        """Compile a template."""
        super().visit_Template(_Settled(self.environment).visit(node), frame)


class Pages(Environment):
    """Jinja, with that compiler."""

    code_generator_class = _Compiler


def _icons(environment: Environment) -> Callable[..., Markup]:
    @lru_cache(maxsize=256)
    def icon(name: str, look: str = "icon") -> Markup:
        """The picture of that name, drawn once for each class."""
        drawn: Markup = environment.get_template("_icons.html").module.icon(name, look)  # type: ignore[attr-defined]
        return drawn

    return icon


def opening(content: str) -> str:
    """The first words of sanitised HTML (which may have been cut anywhere), as plain text."""
    # S704: nothing is trusted here, the tags are taken off and the text is escaped where it is shown.
    text = str(Markup(_BLOCK.sub(" ", _NEXT_ITEM.sub(" · ", _OPEN_TAG.sub("", content)))).striptags())  # noqa: S704
    if len(text) <= _OPENING_LENGTH:
        return text
    return text[:_OPENING_LENGTH].rsplit(" ", 1)[0] + " …"


class Phrases:
    """Sentences put together from more than one key."""

    def __init__(self, words: i18n.Catalogue) -> None:
        self._words = words

    def role(self, role: str) -> str:
        """A role's name; an unknown one is shown as it stands, never guessed."""
        key = f"role.{role}"
        return self._words.text(key) if self._words.has(key) else role

    def column(self, column: str) -> str:
        """What a register says beside the name, as its map calls it; as it stands there where it is none of ours."""
        key = f"desk.column.{column}"
        return self._words.text(key) if self._words.has(key) else column

    def role_line(self, role: str, specialties: str, country: str) -> str:
        """`Specialist, Cardiology · Germany`; a generalist's own specialty is said by the role."""
        slugs = [slug for slug in json.loads(specialties) if (role, slug) != _SAID_BY_ROLE]
        names = [self._words.specialty(slug) for slug in slugs]
        # The dot stays with what is before it; a line never begins with one.
        return "\u00a0· ".join([", ".join([self.role(role), *names]), self._words.country(country)])

    def kind(self, kind: str) -> str:
        """A post kind's name; an unknown one is shown as it stands."""
        key = f"kind.{kind}"
        return self._words.text(key) if self._words.has(key) else kind

    def notice(self, kind: str, many: bool = False) -> str:
        """What somebody did, or several, as the rest of a sentence that begins with who it was."""
        key = f"notice.{kind}"
        if many and self._words.has(f"{key}.many"):
            return self._words.text(f"{key}.many")
        return self._words.text(key if self._words.has(key) else "notice.other")

    def audience_line(self, audience: str, country: str) -> str:
        """Who may read it, as a sentence."""
        if audience != "national":
            return self._words.text(f"audience.{audience}")
        own = country if country in _OWN_SENTENCE else "other"
        return self._words.text(f"audience.national.{own}")

    def error(self, code: str) -> str:
        """What happened, what was kept, what to do; a general sentence for a code without one of its own."""
        key = f"error.{code}"
        return self._words.text(key if self._words.has(key) else "error.unknown")
