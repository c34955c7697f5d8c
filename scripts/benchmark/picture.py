"""The figures as a picture: bars side by side, as an SVG that needs nothing else (no font, no script, no style sheet)."""

from xml.sax.saxutils import escape

from .document import Figure, figures, number

COLOURS = {"plain": "#9aa0a6", "packagecompiler": "#4063d8", "jlsys": "#389826"}
NAMES = {"plain": "plain Julia", "packagecompiler": "PackageCompiler", "jlsys": "jlsys"}

WIDTH, LABELS, BAR, GAP, TOP = 760, 250, 14, 14, 52
ROOM = 110  # for the figure behind the longest bar


def svg(document: dict) -> str:
    rows = [row for row in figures(document) if row.compares and len([v for v in row.values.values() if v is not None]) > 1]
    body, y = [], TOP
    for row in rows:
        bars, height = bars_of(row, y)
        body += bars
        y += height + GAP
    x = LABELS
    legend = []
    for tool, colour in COLOURS.items():
        legend.append(f'<rect x="{x}" y="18" width="{BAR}" height="{BAR}" rx="2" fill="{colour}"/>')
        legend.append(text(x + BAR + 6, 30, NAMES[tool]))
        x += 40 + 8 * len(NAMES[tool])
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        "<title>jlsys, PackageCompiler and plain Julia; shorter is better</title>",
        # Also where the page around it is dark.
        f'<rect width="{WIDTH}" height="{y}" rx="6" fill="#ffffff"/>',
        text(16, 30, "shorter is better", colour="#5f6368"),
        *legend, *body, "</svg>", "",
    ])


def bars_of(row: Figure, y: int) -> tuple[list[str], int]:
    """One measure: its name, and a bar for each tool that has it, drawn to the scale of the largest."""
    values = {tool: value for tool, value in row.values.items() if value is not None}
    height = len(values) * (BAR + 3)
    scale = (WIDTH - LABELS - ROOM) / (max(values.values()) or 1)
    lines = [text(LABELS - 12, y + height / 2 + 3, row.title.replace("`", ""), anchor="end")]
    for tool, value in values.items():
        width = max(value * scale, 1.5)
        lines.append(f'<rect x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{COLOURS[tool]}"/>')
        lines.append(text(LABELS + width + 6, y + BAR - 3, number(value, row.unit)))
        y += BAR + 3
    return lines, height


def text(x: float, y: float, words: str, anchor: str = "start", colour: str = "#202124") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'
