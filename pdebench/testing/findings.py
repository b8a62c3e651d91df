"""What a check says, for every kind of plugin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, final

Subject = TypeVar("Subject")


@final
@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """A check: ``check(subject)`` returns None or what is wrong; ``why`` it matters, how to
    ``mend`` it.
    """

    name: str
    why: str
    mend: str
    check: Callable[[Subject], str | None]


@final
@dataclass(frozen=True)
class Finding:
    """Outcome of one rule on one thing: ``failure`` is None where the rule holds.

    ``expected`` is the reason why a failure is known and accepted, "" for none.
    """

    rule: str
    on: str
    failure: str | None
    why: str = ""
    mend: str = ""
    expected: str = ""

    @property
    def breaks(self) -> bool:
        """Whether this is a failure that nobody declared."""
        return self.failure is not None and not self.expected

    def __str__(self) -> str:
        said = f"{self.rule} [{self.on}]: {self.failure}. Why: {self.why}. Mend: {self.mend}."
        return f"{said} Expected: {self.expected}." if self.expected else said


def examined(subject: Subject, on: str, rules: Sequence[Rule[Subject]]) -> list[Finding]:
    """Apply every rule; a crash is a finding like any other."""
    findings = []
    for rule in rules:
        try:
            failure = rule.check(subject)
        except Exception as error:  # foreign code: whatever it raises is what failed
            failure = f"{type(error).__name__}: {error}"
        findings.append(Finding(rule.name, on, failure, rule.why, rule.mend))
    return findings


def with_expected(findings: Sequence[Finding], expected: Mapping[str, str]) -> list[Finding]:
    """Mark the failures that ``expected`` (rule -> reason) declares.

    A declared failure that does not happen is itself a failure: the declaration is stale. So is one
    without a reason, and one of a rule that does not exist or did not run.
    """
    why = "an exception that no longer applies hides the next failure"
    marked = [
        replace(f, expected=expected[f.rule]) if f.failure and f.rule in expected else f
        for f in findings
    ]
    for rule, reason in expected.items():
        mend = f"remove '{rule}' from what is expected to fail"
        if len(reason.split()) < 3:
            said = f"'{rule}' is expected to fail because of {reason!r}, expected a sentence"
            marked.append(Finding("expected failures", rule, said, why, "give the reason"))
        if not any(f.rule == rule and f.failure for f in findings):
            said = f"'{rule}' is expected to fail and holds"
            marked.append(Finding("expected failures", rule, said, why, mend))
    return marked


def insist(findings: Sequence[Finding], what: str) -> None:
    """Assert that nothing breaks; the message says what failed, why it matters, how to mend it."""
    failed = [f for f in findings if f.breaks]
    said = "\n".join(map(str, failed))
    assert not failed, f"{what} breaks {len(failed)} rules:\n{said}"
