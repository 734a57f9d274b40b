"""What all tabs say and how: escaping, counts, notices, progress, the header. Pure; every name that a visitor chose is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from calm_core.backbones import backbone_row
from calm_core.errors import BackboneError
from calm_core.selection import CHOOSING

from .jobs import Step
from .session import KEEP_HOURS, Current, Session

LONG_NAME = 60
ACCURACY = "Accuracy on clips it had not heard"  # "left out" are only the clips that a person, or the preflight, leaves out


def esc(text: object) -> str:
    """For text between tags; a per cent sign stays on the line of its number, after a narrow space. Not every console knows that space."""
    return html.escape(str(text)).replace(" %", "\u202f%")


def attribute(text: object) -> str:
    """For an attribute that is read back as data: a class's name stays as it is."""
    return html.escape(str(text))


def count(n: int, one: str, many: str | None = None) -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """'90 %', its space narrow and without a line break."""
    return f"{share:.0%}".replace("%", "\u202f%")


def duration(seconds: float) -> str:
    """'3 s' or '2 min 10 s'."""
    whole = max(1, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def step_text(step: Step) -> str:
    """'12/24 clips, class owl, about 8 s left'"""
    if step.done == 0:
        return f"{step.what} …"
    even = step.what != CHOOSING  # the later steps of the choice take longer, and would belie what is left
    left = f", about {duration(step.seconds_left)} left" if even and step.seconds_left is not None else ""
    if step.what.startswith(("comparing", "testing")):  # counts methods or tests, not clips
        return f"{step.what} ({step.done}/{step.total}){left}"
    return f"{step.done}/{count(step.total, 'clip')}, {step.what}{left}"


def checking_text(step: Step) -> str:
    """'checking 12/40 clips'"""
    return f"checking {step.done}/{count(step.total, 'clip')}"


def progress(text: str) -> str:
    return f'<p role="status">{esc(capital(text))}</p>' if text else ""


def capital(text: str) -> str:
    """As a sentence begins; a file's name stays as it is."""
    return text if "." in text.split(" ", 1)[0] else text[:1].upper() + text[1:]


def notice(text: str, kind: str = "info") -> str:
    """A box with one sentence; kind: info, warning or empty (what stands where nothing is yet)."""
    return f'<div class="calm-notice calm-{kind}">{esc(text)}</div>' if text else ""


def bullets(lines: Iterable[str], kind: str = "info") -> str:
    items = "".join(f"<li>{esc(capital(line))}</li>" for line in lines)
    return f'<ul class="calm-notice calm-{kind}">{items}</ul>' if items else ""


def status_line(device: str, session: Session, forgets: bool) -> str:
    """forgets: the projects of the tab Review are deleted like all else."""
    kept = f"stay with this tab until it is closed or loaded again, and on this server at most {KEEP_HOURS} hours after your last step"
    used = f"{session.compute_s:.1f} s"
    parts = [
        ("Runs on", {"cpu": "this server's processor (CPU)", "cuda": "graphics processor (GPU)"}.get(device.split(":")[0], device)),
        ("Computing time used", used),
        ("Your clips", kept if forgets else f"{kept}; projects in Review stay until you delete them"),
    ]
    return '<dl class="calm-status">' + "".join(f"<div><dt>{k}</dt><dd>{esc(v)}</dd></div>" for k, v in parts) + "</dl>"


def backbone_title(id: str | None) -> str:
    try:
        return backbone_row(id or "").title
    except BackboneError:
        return id or "an unknown backbone"


def wrong_backbone(current: Current | None, backbone: str) -> str:
    """Why the classifier in use can't answer with the chosen backbone; empty where it can."""
    if current is None or current.backbone in (backbone, None):
        return ""
    return (
        f"This classifier was learned with “{backbone_title(current.backbone)}”, but “{backbone_title(backbone)}” is chosen above. "
        "Learn again with it, or choose the other one again; the two hear differently, so one can't answer for the other."
    )


def classes_of(current: Current) -> str:
    names = current.learned.model.class_names
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return {"clips": "your classifier", "file": "the classifier you loaded", "example": "the example classifier"}[
        current.source
    ] + f" of {shown}"


def example_notice(current: Current | None) -> str:
    """Over whatever comes from the classifier that the page opens with: that it is nobody's own, and the way to one; "" for others."""
    if current is None or current.source != "example":
        return ""
    return notice(
        f"This is an example, not yours: the page opens with {classes_of(current)}, so that there is something to look at. For your own, "
        "add recordings in the tab Clips and press the button in the tab Learn; it takes the example's place."
    )


def listed(names: Sequence[str], last: str = "and") -> str:
    """'‘bat’, ‘owl’ and ‘wren’'"""
    quoted = [f"‘{name}’" for name in names]
    return f" {last} ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def caption(text: str) -> str:
    return f'<p class="calm-caption">{esc(text)}</p>' if text else ""
