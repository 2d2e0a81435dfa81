"""In what two federation lists differ, in words; pure."""

from __future__ import annotations

from dataclasses import dataclass

from federation.membership import FederationList, Member


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two lists differ: whose, what, and its words before and after."""

    domain: str
    what: str
    before: str
    after: str


def differences(before: FederationList | None, after: FederationList) -> list[Difference]:
    """Return in what two lists differ, member by member and then for all."""
    old = {} if before is None else {member.origin: member for member in before.members}
    new = {member.origin: member for member in after.members}
    found = []
    for origin in sorted(old | new):
        one, other = old.get(origin), new.get(origin)
        domain = (other or one).domain  # type: ignore[union-attr]
        words = _words(one), _words(other)
        found += [Difference(domain, what, words[0][what], words[1][what]) for what in words[0]]
    changed = after.signers if before is None or after.signers != before.signers else None
    if changed is not None:
        found.append(Difference("", "signers", "", f"{changed.threshold}: {', '.join(sorted(changed.keys))}"))
    return [each for each in found if each.before != each.after]


def _words(member: Member | None) -> dict[str, str]:
    if member is None:
        return dict.fromkeys(("status", "countries", "issuer_keys", "instance_keys"), "")
    return {
        "status": member.status.value, "countries": ", ".join(sorted(member.may_issue_for)),
        "issuer_keys": ", ".join(sorted(key.key for key in member.issuer_keys)),
        "instance_keys": ", ".join(sorted(member.instance_keys)),
    }  # fmt: skip
