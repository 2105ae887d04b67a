"""Figures of plans, for notebooks."""

from __future__ import annotations

from html import escape

import numpy as np

from gtr._gtr import Plan

# Colours of the first and the last AR step of each role.
_RAMPS = {"generation": ("#0b3c6f", "#c9e1f5"), "reconstruction": ("#8a2f0a", "#fbd9c5")}
_TEXT = 'font-family="sans-serif" font-size="11"'


def svg(plan: Plan) -> str:
    """Draws the grid, with the AR step that generates each token of image 0 for seed 0, and the diffusion steps below."""
    height, width = plan.grid
    cell = max(4, min(26, 416 // max(height, width)))
    grid, chart = _cells(plan, cell), _chart(plan, width * cell)
    total_width, top = max(width * cell, 200) + 20, height * cell + 20
    title = f'<text x="10" y="{top + 12}" {_TEXT}>diffusion steps of each AR step</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width}" height="{top + 90}" role="img">'
        f"<title>{escape(repr(plan))}</title>"
        f'<g transform="translate(10 10)">{grid}</g>{title}<g transform="translate(10 {top + 18})">{chart}</g></svg>'
    )


def html(plan: Plan) -> str:
    """Returns the figure and a table of the stages."""
    rows = "".join(
        f"<tr><td>{number}</td><td>{stage['role']}</td><td>{stage['tokens']}</td><td>{stage['ar_steps']}</td>"
        f"<td>{stage['first_diffusion_steps']} to {stage['last_diffusion_steps']}</td></tr>"
        for number, stage in enumerate(plan.summary()["stages"], 1)
    )
    head = "".join(f"<th>{name}</th>" for name in ("stage", "role", "tokens", "AR steps", "diffusion steps"))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<div><code>{escape(repr(plan))}</code><br>{svg(plan)}{table}</div>"


def _cells(plan: Plan, cell: int) -> str:
    height, width = plan.grid
    steps = plan.steps
    when = np.full(height * width, -1)
    order = plan.order()
    when[order] = np.repeat(np.arange(len(steps)), [step["tokens"] for step in steps])
    colors = _colors(plan)
    parts = []
    for token, step in enumerate(when.tolist()):
        x, y = token % width * cell, token // width * cell
        fill, ink = colors[step] if step >= 0 else ("#cccccc", "#555555")
        parts.append(f'<rect x="{x}" y="{y}" width="{cell}" height="{cell}" fill="{fill}" stroke="#ffffff"/>')
        if cell >= 16 and step >= 0:
            place = f'x="{x + cell / 2}" y="{y + cell / 2 + 4}" text-anchor="middle"'
            parts.append(f'<text {place} {_TEXT} fill="{ink}">{step + 1}</text>')
    return "".join(parts)


def _chart(plan: Plan, width: int) -> str:
    steps = plan.steps
    most = max(max(step["diffusion_steps"], step.get("detail", {}).get("diffusion_steps", 0)) for step in steps)
    bar = max(width, 200) / len(steps)
    colors = _colors(plan)
    parts = []
    for number, step in enumerate(steps):
        high = 56 * step["diffusion_steps"] / most
        box = f'x="{number * bar:.2f}" width="{max(bar - 1, 0.5):.2f}"'
        parts.append(f'<rect {box} y="{60 - high:.2f}" height="{high:.2f}" fill="{colors[number][0]}"/>')
        if "detail" in step:
            top = 60 - 56 * step["detail"]["diffusion_steps"] / most
            parts.append(f'<rect {box} y="{top:.2f}" height="2" fill="#b8860b"/>')
    return "".join(parts)


def _colors(plan: Plan) -> list[tuple[str, str]]:
    """Returns the colour of each AR step and a text colour with enough contrast."""
    stages, steps = plan.stages, plan.steps
    roles = [stages[step["stage"]]["role"] for step in steps]
    colors = []
    for number, role in enumerate(roles):
        alike = [place for place, other in enumerate(roles) if other == role]
        share = alike.index(number) / max(len(alike) - 1, 1)
        first, last = ([int(text[place : place + 2], 16) for place in (1, 3, 5)] for text in _RAMPS[role])
        mixed = [round(a + share * (b - a)) for a, b in zip(first, last, strict=True)]
        colors.append(("#" + "".join(f"{value:02x}" for value in mixed), "#ffffff" if sum(mixed) < 420 else "#111111"))
    return colors
