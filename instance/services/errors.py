"""What a person may not do, or has to mend first."""

from __future__ import annotations


class Rejected(Exception):
    """A request that was understood and is not carried out; nothing of it was kept.

    `code` is snake_case and has a sentence in every language (`error.CODE` in the catalogues); `field` names the
    form field to mend, where there is one.
    """

    def __init__(self, code: str, field: str | None = None, status: int = 422) -> None:
        super().__init__(code)
        self.code, self.field, self.status = code, field, status


class Missing(Rejected):
    """Not there, or not for this person: answered alike."""

    def __init__(self) -> None:
        super().__init__("not_found", status=404)


class Forbidden(Rejected):
    """This person's standing or role does not allow the act; `code` says which rule."""

    def __init__(self, code: str) -> None:
        super().__init__(code, status=403)
