"""Draws the training log of a pocket as a picture: assets/pocket/training.png.

python tools/plot_training.py [FOLDER]        (default: assets/pocket; needs what `make test` installs: playwright, chromium)
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from plotly.subplots import make_subplots

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calm_core.doctor import browser_path

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "pocket"
LOSSES = {"caption_loss": "caption", "vote_loss": "vote of the heads", "head_loss": "a head on its own"}
SIZE = {"width": 900, "height": 420}


def draw(log: pd.DataFrame) -> go.Figure:
    """Losses in nats on the left axis, accuracy on held-out clips on the right."""
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    for column, name in LOSSES.items():
        figure.add_scatter(x=log["clips"], y=log[column], name=name)
    figure.add_scatter(x=log["clips"], y=log["held_out_family_accuracy"], name="family right", line={"dash": "dot"}, secondary_y=True)
    figure.update_layout(
        template="plotly_white", margin={"l": 60, "r": 60, "t": 20, "b": 50}, legend={"orientation": "h", "y": 1.1}, **SIZE
    )
    figure.update_xaxes(title="clips heard")
    figure.update_yaxes(title="loss (nats)", rangemode="tozero", secondary_y=False)
    share = {"range": [0, 1], "dtick": 0.25, "tickformat": ".0%", "showgrid": False}
    figure.update_yaxes(title="share of fresh clips named right", secondary_y=True, **share)
    return figure


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    page_source = draw(pd.read_csv(folder / "training_log.csv")).to_html(include_plotlyjs=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(browser_path()), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": SIZE["width"], "height": SIZE["height"]})
        page.set_content(page_source)
        page.wait_for_selector(".main-svg")
        page.screenshot(path=folder / "training.png")
        browser.close()


if __name__ == "__main__":
    main()
