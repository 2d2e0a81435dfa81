"""Writing a post, and mending one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from federation.allowlist import Direction
from federation.vocabulary import FEDERATING_KINDS, Audience, PostKind
from instance.ids import new_ulid
from instance.routes import guard, shell
from instance.routes.case_form import CaseForm, case_form, choices, of_summary
from instance.routes.forms import (
    Mistake,
    PostForm,
    languages_offered,
    mistake,
    post_form,
    version_seen,
)
from instance.services import asking, bulletins, case_parts
from instance.services.drafts import PostDraft, narrows
from instance.services.errors import Missing, Rejected
from instance.views import thread
from instance.views.choices import specialty_choices
from instance.views.feed_page import countries
from verification.standing import Action

routes = Blueprint("write", __name__)
SPECIALTY_FIELDS = 3


@routes.get("/write")
@guard.doctor_required
async def form(_reader: guard.Reader) -> ResponseReturnValue:
    """Show an empty form, with the doctor's own specialty chosen, and the kind the address names."""
    reader, node = guard.require(Action.POST), guard.node()
    own = guard.own_specialties(reader)
    empty = PostForm(
        specialties=own[:1], language=guard.language(), form_key=new_ulid(node.clock()),
        bulletin=await _about(request.args.get("item", "")),
    )  # fmt: skip
    return await _page("write.html", _begun(empty, request.args.get("kind", "")), CaseForm(), ())


async def _about(item: str) -> bulletins.BulletinDraft:
    """What is known of an imported item that the doctor wants to write about: where it is, and who published it."""
    row = await guard.node().store.one("news.item", id=item) if item else None
    return bulletins.UNTYPED if row is None else bulletins.BulletinDraft(source=row["source"], source_link=row["link"])


def _begun(empty: PostForm, kind: str) -> PostForm:
    """The form of this kind; one that no sibling takes begins as national."""
    if kind not in set(PostKind):
        return empty
    opened = {*FEDERATING_KINDS, *(kind for sibling in guard.node().allowlist() for kind in sibling.kinds_out)}
    return replace(empty, kind=kind, audience=empty.audience if kind in opened else Audience.NATIONAL.value)


@routes.post("/write")
@guard.doctor_required
async def publish(_reader: guard.Reader) -> ResponseReturnValue:
    """Publish a post; the same form sent twice is one post. What calls on colleagues is offered to be a question."""
    reader, typed, case = guard.require(Action.POST), await post_form(), await case_form()
    if typed.offered == PostKind.QUESTION:
        typed = replace(typed, kind=PostKind.QUESTION.value)
    elif not typed.offered and typed.kind != PostKind.QUESTION and asking.calls(typed.title, typed.text):
        return await _page("write.html", typed, case, (), offer=True)
    try:
        slug = await guard.node().publishing.publish(reader.uri, draft_of(typed, case))
    except Rejected as error:
        if error.code == "form_used":
            typed = replace(typed, form_key=new_ulid(guard.node().clock()))
        return await _page("write.html", typed, case, (mistake(error),), error.status)
    return shell.done("published", f"/posts/{slug}")


@routes.get("/posts/<slug>/edit")
@guard.doctor_required
async def edit_form(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show an own post to be mended."""
    post = guard.own(await thread.post(guard.node().store, reader.uri, slug))
    named = await guard.node().store.all("views.named", object=post.uri)
    typed = PostForm(
        kind=post.kind,
        title=post.title,
        text=post.source,
        specialties=guard.slugs(post.specialties),
        language=post.language,
        audience=post.audience,
        named=", ".join(row["address"] for row in named),
        asked_country=post.asked_country,
        bulletin=bulletins.typed(post.facts),
        seen=str(post.updated_at or 0),
    )
    facts = await guard.node().store.one("cases.facts", post=post.uri)
    said = of_summary(case_parts.summary_in(facts["facts"])) if facts is not None else CaseForm()
    return await _edit_page(post, typed, said)


async def _edit_page(
    post: thread.PostRow, typed: PostForm, case: CaseForm, mistakes: tuple[Mistake, ...] = (), status: int = 200
) -> ResponseReturnValue:
    audiences = _narrower(post.audience)
    return await _page("edit.html", typed, case, mistakes, status, slug=post.slug, audiences=audiences, present=post)


@routes.post("/posts/<slug>/edit")
@guard.doctor_required
async def edit(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Keep the new version of a post."""
    reader, typed, case = guard.require(Action.EDIT), await post_form(), await case_form()
    post = guard.own(await thread.post(guard.node().store, reader.uri, slug))
    try:
        await guard.node().publishing.edit(reader.uri, slug, draft_of(typed, case), seen=version_seen(typed.seen))
    except Missing:
        raise
    except Rejected as error:
        if error.code == "changed_meanwhile":  # the other version is shown beside this one, which may follow it now
            post = guard.own(await thread.post(guard.node().store, reader.uri, slug))
            typed = replace(typed, seen=str(post.updated_at or 0))
        return await _edit_page(post, typed, case, (mistake(error),), error.status)
    return shell.done("edited", f"/posts/{slug}")


def draft_of(typed: PostForm, case: CaseForm) -> PostDraft:
    """What the service is asked to publish."""
    return PostDraft(
        kind=typed.kind,
        title=typed.title,
        text=typed.text,
        specialties=typed.specialties,
        audience=typed.audience,
        language=typed.language,
        named=tuple(typed.addresses()),
        asked_country=typed.asked_country,
        bulletin=typed.bulletin,
        summary=case.summary(typed.language),
        poll=case.poll(),
        form_key=typed.form_key,
    )


def _narrower(audience: str) -> list[str]:
    """The audiences that reach nobody who could not read the post before; an edit may choose among them."""
    return [wanted.value for wanted in Audience if narrows(Audience(audience), wanted)]


async def _page(
    template: str,
    typed: PostForm,
    case: CaseForm,
    mistakes: tuple[Mistake, ...],
    status: int = 200,
    audiences: Sequence[str] = tuple(Audience),
    *,
    offer: bool = False,
    **values: Any,
) -> ResponseReturnValue:
    reached = guard.node().allowlist().open_to(Direction.OUT)
    return await shell.page(
        template,
        status=status,
        here="write",
        form=typed,
        mistakes=mistakes,
        kinds=[kind.value for kind in PostKind],
        home_kinds=[kind.value for kind in PostKind if kind not in FEDERATING_KINDS],
        audiences=audiences,
        offer=offer,
        asked_countries=countries(guard.node()),
        reached=sorted({sibling.country for sibling in reached} | {guard.node().config.country}),
        alone=not reached,
        specialty_fields=SPECIALTY_FIELDS,
        specialty_choices=specialty_choices(guard.language()),
        content_languages=languages_offered(typed.language),
        case=case,
        **choices(guard.language()),
        **values,
    )
