"""The generated parts of the documentation: each function returns Markdown made of the code itself."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from federation import delivery, errors, jsonld, nodes, pairing, reader, strict
from federation.signatures import Profile
from instance import config
from instance.cli import esanum
from tests.tools import docs_examples as examples
from tests.tools import docs_health as health
from tests.tools import docs_verification as life
from tests.tools import docs_words as words
from verification.countries import Proof, load, shipped
from verification.dossier import Role
from verification.registers.numbers import KINDS, NumberKind
from verification.standing import RIGHTS, Action
from verification.verdicts import EFFECTS, Reason

WIDTH: Final = 96


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


# ── FEDERATION.md ──


def refusals() -> str:
    """Every code the door answers with, in the order of the tree."""
    return table(("code", "status", "meaning"), [_refusal(cls) for cls in errors.all_refusals()])


def _refusal(refusal: type[errors.Refused]) -> tuple[str, str, str]:
    meaning = " ".join((refusal.__doc__ or "").split())
    status = str(refusal.status)
    if refusal.retry_after is not None:
        status += f", Retry-After {refusal.retry_after}"
    return f"`{refusal.code}`", status, meaning


def reasons() -> str:
    """Every credential reason, with what a door does with it."""
    if set(words.REASONS) != set(Reason):
        raise ValueError(f"reasons without words: {set(words.REASONS) ^ set(Reason)}")
    rows = [(f"`{reason}`", _effects(reason), words.REASONS[reason]) for reason in Reason]
    return table(("code", "answer", "meaning"), rows)


def _effects(reason: Reason) -> str:
    return " or ".join(text for effect, text in words.EFFECTS.items() if effect in EFFECTS[reason])


def activity_examples() -> str:
    """One example of each activity, each about the same exchange."""
    parts = []
    for what, word in examples.activities():
        parts.append(f"**{type(word).__name__}**: {what}.\n\n{code(examples.shown(word), 'json')}")
    return "\n\n".join(parts)


def actor_examples() -> str:
    """The two kinds of actor, and what stays of something withdrawn."""
    return "\n\n".join(
        f"**{title}**\n\n{code(examples.shown(word), 'json')}"
        for title, word in (
            ("An instance", examples.instance()),
            ("A doctor", examples.doctor()),
            ("Something withdrawn, answered with 410", examples.tombstone()),
        )
    )


def credential_check() -> str:
    """What comes out at each step of checking the credential of the example."""
    steps = [(what, f"`{value}`") for what, value in examples.checked_credential()]
    return table(("step", "value"), steps)


def status_list_example() -> str:
    """One status list as it is served."""
    return code(examples.pretty(examples.status_list()), "json")


def federation_list_example() -> str:
    """One federation list, signed by two of three."""
    return code(examples.pretty(examples.federation_list()), "json")


def context() -> str:
    """The contexts we send, as they stand in every document."""
    return code(examples.pretty({"@context": list(jsonld.CONTEXT)}), "json")


def known_contexts() -> str:
    """The contexts that may be named in what is sent to us."""
    return "\n".join(f"- `{address}`" for address in jsonld.SHIPPED)


def cavage_example() -> str:
    """One delivery signed with cavage-12."""
    return code(examples.signed_headers(Profile.CAVAGE), "http")


def rfc9421_example() -> str:
    """One delivery signed with RFC 9421."""
    return code(examples.signed_headers(Profile.RFC9421), "http")


def limits() -> str:
    """What a message may hold at most."""
    rows = [
        ("body", f"{strict.MAX_BODY // 1024} KiB"),
        ("depth of the JSON", f"{strict.MAX_DEPTH}"),
        ("values in the JSON", f"{strict.MAX_VALUES:,}"),
        ("name, title", f"{nodes.MAX_NAME} characters"),
        ("content", f"{reader.MAX_CONTENT // 1024} KiB"),
        ("recipients", f"{nodes.MAX_RECIPIENTS}"),
        ("mentions", f"{reader.MAX_MENTIONS}"),
        ("tags", f"{nodes.MAX_TAGS}"),
        ("attachments", f"{nodes.MAX_ATTACHMENTS}"),
        ("keys of one actor", f"{reader.MAX_KEYS}"),
        ("items of one page of a collection", f"{reader.MAX_ITEMS:,}"),
    ]
    return table(("thing", "at most"), rows)


def pairing_moves() -> list[tuple[str, ...]]:
    """Every move of a pairing, seen from one side."""
    rows = [
        (f"`{here}`", f"`{event}`", f"`{to}`") for here, moves in pairing.MOVES.items() for event, to in moves.items()
    ]
    return [("from", "what happens", "to"), *rows]


def pairing_example() -> str:
    """An invitation, as it is posted."""
    return code(examples.invitation(), "http")


# ── docs/federation.md ──


def answers() -> str:
    """What our sender makes of each answer."""
    rows = [(_statuses(statuses), _MEANINGS[meaning]) for statuses, meaning in delivery.ANSWERS]
    return table(("answer", "our sender"), rows)


_MEANINGS: Final = {
    delivery.Meaning.COMMITTED: "is done: you have it on disk",
    delivery.Meaning.MOVED: "never follows; reads your actor once (signed, same origin), then waits, with an alarm",
    delivery.Meaning.KEY_TROUBLE: "knocks once more, at once, with the other profile; then waits, with an alarm",
    delivery.Meaning.FORBIDDEN: "looks at the code: membership makes the lane wait, anything else is a dead letter",
    delivery.Meaning.ABSENT: "tries a doctor's own inbox three times over a day; waits for a shared one, with an alarm",
    delivery.Meaning.BUSY: "waits; your Retry-After counts, up to an hour",
    delivery.Meaning.NEVER: "makes it a dead letter at once; the code is shown to our administrator",
    delivery.Meaning.FAILING: "waits, and tries another message first",
    delivery.Meaning.NOT_REACHED: "waits: 20 s, doubled each time to about an hour",
}


def _statuses(statuses: Any) -> str:
    if isinstance(statuses, range):
        return f"{statuses.start // 100}xx"
    return "none (network, DNS, TLS, deadline)" if 0 in statuses else ", ".join(map(str, sorted(statuses)))


# ── docs/verification.md ──


def rights() -> str:
    """What each role may do."""
    rows = [
        (role.value, *("yes" if action in allowed else "" for action in Action)) for role, allowed in RIGHTS.items()
    ]
    return table(("role", *(action.value for action in Action)), rows)


def made(rows: Callable[[], list[tuple[str, ...]]]) -> Callable[[], str]:
    """Rows with their head, as a table."""
    return lambda: table(rows()[0], rows()[1:])


def numbers() -> str:
    """Every kind of number a doctor may type, and those that are known and refused."""
    rows = [
        (kind.country, f"`{kind.name}`", kind.authority, _check(kind), f"`{kind.example}`" if kind.example else "")
        for kind in KINDS.values()
    ]
    return table(("country", "kind", "given by", "check", "example"), rows)


def _check(kind: NumberKind) -> str:
    if kind.refusal is not None:
        return f"refused: `{kind.refusal.code}`"
    return "form only" if kind.check is None else "check digit"


def countries() -> str:
    """The profiles that come with the product."""
    policies = sorted(load(shipped()).policies.values(), key=lambda policy: policy.country)
    rows = [
        (policy.country, policy.regulator, policy.register.name if policy.register else "none", policy.term.local,
         policy.degree_alone, "let in" if policy.students.admitted else "not let in", ", ".join(policy.languages))
        for policy in policies
    ]  # fmt: skip
    return table(("country", "regulator", "register", "licence", "a degree alone", "students", "documents in"), rows)


def proofs() -> str:
    """Which proofs each country takes for which role."""
    policies = sorted(load(shipped()).policies.values(), key=lambda policy: policy.country)
    rows = [
        (f"`{proof}`", *(", ".join(each.country for each in policies if proof in each.accepted[role]) for role in Role))
        for proof in Proof
    ]
    return table(("proof", *Role), rows)


# ── docs/operate ──


def settings() -> str:
    """Every setting of esanum.toml: what it wants, what it is where it is not set, what it is for."""
    notes = _notes()
    rows = []
    for field in dataclasses.fields(config.Config):
        rows.append((f"`{field.name}`", config.expected(field.name), _default(field), notes[field.name]))
    return table(("setting", "expected", "default", "meaning"), rows)


def _notes() -> dict[str, str]:
    source = inspect.getsource(config.Config)
    found = re.findall(r"((?:    #: [^\n]*\n)+)    (\w+):", source)
    return {name: " ".join(re.sub(r"\s*#: ", " ", comment).split()) for comment, name in found}


_PLACES: Final = {
    "data": "the folder of the configuration",
    "database": "`sqlite:///DATA/esanum.db`",
    "secrets": "`DATA/secrets`",
    "may_issue_for": "the country",
    "push_hosts": "the services of Chrome, Firefox, Safari and Edge",
}


def _default(field: dataclasses.Field[Any]) -> str:
    if field.name in _PLACES:
        return _PLACES[field.name]
    if field.default_factory is not dataclasses.MISSING:
        value: Any = field.default_factory()
    elif field.default is not dataclasses.MISSING:
        value = field.default
    else:
        return "none: must be set"
    if hasattr(value, "total_seconds"):
        return f"{int(value.total_seconds())}"
    return f"`{value}`" if value not in ("", (), None) else "nothing"


def commands() -> str:
    """Every command with its help."""
    return "\n\n".join(f"### {path}\n\n{code(text)}" for path, text in helps())


def helps() -> Iterator[tuple[str, str]]:
    """Each command's name as typed, and what `--help` says."""
    yield from _helps(esanum, None, "esanum")


def _helps(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command,
        parent,
        info_name=name,
        **{**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH},
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            child = command.get_command(context, each)
            if child is not None:
                yield from _helps(child, context, each)


def routes() -> str:
    """Every page and form, and who may use it."""
    rows = [(f"`{rule}`", ", ".join(methods), _WHO[access]) for rule, methods, access in page_routes()]
    return table(("address", "method", "open to"), rows)


_WHO: Final = {
    "public": "everybody",
    "account": "whoever is signed in",
    "doctor": "signed-in doctors in good standing",
    "staff": "staff with a second factor",
    "enrolling": "whoever is signed in, and staff who owe a second factor",
    "second step": "whoever has shown the password and owes the second factor",
    "factors in question": "whoever has still to say which factors are theirs, after the account was taken over",
}


def page_routes() -> list[tuple[str, tuple[str, ...], str]]:
    """Path, methods and mark of every route of the web application."""
    from instance.app import make_app

    app = make_app(None)  # type: ignore[arg-type]  # the table of routes asks nothing of the node
    found = []
    for rule in app.url_map.iter_rules():
        methods = tuple(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        found.append((rule.rule, methods, app.view_functions[rule.endpoint].access))
    return sorted(found)


#: file ─▶ part ─▶ what makes it
PARTS: Final[dict[str, dict[str, Callable[[], str]]]] = {
    "FEDERATION.md": {
        "refusals": refusals,
        "reasons": reasons,
        "context": context,
        "known contexts": known_contexts,
        "actors": actor_examples,
        "credential check": credential_check,
        "status list": status_list_example,
        "federation list": federation_list_example,
        "activities": activity_examples,
        "cavage": cavage_example,
        "rfc9421": rfc9421_example,
        "limits": limits,
        "pairing": pairing_example,
        "pairing moves": made(pairing_moves),
    },
    "docs/federation.md": {"answers": answers},
    "docs/verification.md": {
        "numbers": numbers,
        "countries": countries,
        "proofs": proofs,
        "states": life.diagram,
        "moves": made(life.moves),
        "shortcomings": life.shortcomings,
        "annexes": made(life.annex_moves),
        "periods": made(life.periods),
        "retention": made(life.kept),
        "rights": rights,
        "own acts": made(life.own),
    },
    "docs/operate/settings.md": {"settings": settings},
    "docs/operate/commands.md": {"commands": commands},
    "docs/operate/monitoring.md": {
        "metrics": made(health.metrics),
        "thresholds": made(health.thresholds),
        "alerts": health.alerts,
    },
    "docs/routes.md": {"pages": routes},
}

ROOT: Final = Path(__file__).resolve().parents[2]
