"""How the page looks: the theme (system fonts: nothing is fetched from elsewhere) and the few rules it needs beside it."""

import gradio as gr

FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

THEME = gr.themes.Default(primary_hue="blue", secondary_hue="blue", neutral_hue="slate", font=FONTS, font_mono=MONO).set(
    # Gradio's own greys for small print have a contrast of 2.6 on white; these have at least 4.5 on either ground.
    body_text_color_subdued="*neutral_500",
    body_text_color_subdued_dark="*neutral_400",
    block_info_text_color="*neutral_500",
    block_info_text_color_dark="*neutral_400",
    checkbox_border_color="*neutral_500",  # the theme's own box can hardly be seen, in the dark not at all
    checkbox_border_color_dark="*neutral_400",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
)

CSS = """
.gradio-container .main { max-width: 1180px; margin-inline: auto; }
.html-container { padding: 0 !important; }
[data-testid="status-tracker"].hide { visibility: hidden; } /* else a screen reader meets "Error" there after a refused press */
footer .divider { display: none; } /* there is nothing to divide */
.block:has(> .html-container > :is(.prose, div):empty) { display: none; } /* an empty line of text takes no room */
.calm-name h1 { margin: 0; font-size: 1.7rem; letter-spacing: -0.01em; }
.calm-name p { margin: 0.2rem 0 0; max-width: 40rem; }
.calm-status { display: flex; flex-wrap: wrap; gap: 0.4rem 1.6rem; margin: 0; font-size: var(--text-sm); line-height: 1.4; }
.calm-status dt { color: var(--body-text-color-subdued); }
.calm-status dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.calm-notice { border-left: 4px solid var(--border-color-primary); background: var(--background-fill-secondary); padding: 0.7rem 1rem;
  border-radius: var(--radius-sm); line-height: 1.5; overflow-wrap: anywhere; margin: 0; }
ul.calm-notice { padding-left: 2rem; list-style: disc; }
ul.calm-notice li { margin: 0; }
.calm-info { border-left-color: var(--color-accent); }
.calm-warning { border-left-color: #d97706; }
.calm-empty { border-left: 0; text-align: center; padding: 1.6rem 1rem; color: var(--body-text-color-subdued); }
:is(.calm-cards, .calm-tiles) { display: grid; gap: 0.5rem; list-style: none; margin: 0 !important; padding: 0 !important;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); max-height: 26rem; overflow-y: auto; }
:is(.calm-cards, .calm-tiles) li { margin: 0 !important; min-width: 0; }
:is(.calm-card, .calm-tile) { border: 1px solid var(--border-color-primary); border-radius: var(--radius-lg); padding: 0.4rem 0.7rem;
  background: var(--background-fill-secondary); overflow-wrap: anywhere; width: 100%; text-align: left; }
.calm-card { cursor: pointer; display: grid; gap: 0.3rem; align-content: start; height: 100%; }
:is(.calm-card:is(:hover, :focus-visible) b, .calm-tile button:is(:hover, :focus-visible)) { text-decoration: underline; }
:is(.calm-card, .calm-tile) small { color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
.calm-strip { display: flex; align-items: center; gap: 0.25rem; min-height: 32px; }
:is(.calm-card, .calm-tile) :is(img, .calm-blank) { width: 56px; height: 32px; border-radius: 3px; margin: 0; flex: none;
  image-rendering: pixelated; }
.calm-strip :is(img, .calm-blank) { flex: 0 1 56px; min-width: 0; } /* a narrow card has room for the number of the others too */
.calm-blank { display: inline-block; background: var(--border-color-primary); }
.calm-tiles { margin-top: 0.4rem !important; }
.calm-tiles { user-select: none; } /* Shift and click would select text, and a drag then take that along */
.calm-tile { display: flex; align-items: center; gap: 0.6rem; }
:is(.calm-tick, .calm-all) { margin: 0; flex: none; }
:is(.calm-tick, .calm-all):checked { background-color: var(--checkbox-background-color-selected) !important; } /* else white on white */
.calm-tick-all { display: flex; align-items: center; gap: 0.6rem; padding-left: calc(0.7rem + 1px); }
.calm-tile:has(.calm-tick:checked) { border-color: var(--color-accent) !important; }
.calm-tick-all label { display: flex; align-items: center; gap: 0.6rem; }
.calm-tile button { cursor: pointer; text-align: left; min-width: 0; flex: 1; }
.calm-grip { display: flex; cursor: grab; }
.calm-tile[data-out] :is(.calm-grip, button) { opacity: 0.55; }
.calm-card.calm-over { border-color: var(--color-accent); box-shadow: inset 0 0 0 1px var(--color-accent); }
.calm-card.calm-over * { pointer-events: none; }
.calm-unseen { display: none; }
.calm-answers.calm-tools { align-items: center; margin: 0.5rem 0; }
#clips-class:not(:has(.calm-tick:checked)) .calm-tools { opacity: 0.45; }
#clips-class:not(:has(.calm-tick:checked)) #clips-ticked { display: none; }
.calm-low { align-items: end; }
.calm-few { border-style: dashed; border-color: #d97706; }
:is(#learn-headline, #heads-model) .calm-notice { margin-bottom: 0.9rem; }
.calm-progress p { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.calm-headline { line-height: 1.5; overflow-wrap: anywhere; }
.calm-headline p { margin: 0 0 0.3rem; }
.calm-big { font-size: 1.25rem; margin: 0; overflow-wrap: anywhere; }
.calm-caption { font-size: var(--text-sm); color: var(--body-text-color-subdued); line-height: 1.5; max-width: 52rem; margin: 0; }
.calm-link { display: inline-block; margin-right: 1.2rem; text-decoration: underline; }
.gradio-container h3 { margin: 0; }
#clips-folder .folder-drop { min-height: 150px; display: grid; align-content: center; }
#predict-correction { align-items: end; }
.table-wrap { font-family: var(--font); font-variant-numeric: tabular-nums; }
.table-wrap * { font-family: inherit !important; }
.table-wrap :is(th, td, th *, td *) { word-break: normal !important; overflow-wrap: break-word; }
:is(#backbone, #review-projects, #learn-settings .wrap-inner) input { padding-right: 2.2rem; text-overflow: ellipsis; }
.gradio-container:has(#learn-cancel:not(.hidden, .hide)) #learn-result { opacity: 0.35; } /* not to be read as the new one */
.calm-project { margin: 0; overflow-wrap: anywhere; }
.calm-project span { color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; margin-left: 0.4rem; }
.calm-place { overflow-wrap: anywhere; }
.calm-place span { color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
.calm-answers { display: flex; flex-wrap: wrap; align-items: stretch; gap: 0.5rem; margin: 0 0 0.6rem; }
.calm-key { border: 1px solid var(--border-color-primary); border-radius: var(--radius-md); padding: 0.45rem 0.8rem; min-height: 2.5rem;
  background: var(--button-secondary-background-fill); color: var(--body-text-color); cursor: pointer; max-width: 100%;
  overflow-wrap: anywhere; text-align: left; margin: 0 !important; }
.calm-acts { display: grid; grid-template-columns: repeat(auto-fit, minmax(145px, 1fr)); }
button.label-wrap > span { text-align: left; }
#review-head .calm-headline { min-height: 7.2rem; } /* so that the buttons below stay where they are from clip to clip */
.calm-key:hover:not(:disabled) { background: var(--button-secondary-background-fill-hover); }
.calm-key:focus-visible { outline: 2px solid var(--color-accent); outline-offset: 2px; }
.calm-key:disabled { opacity: 0.5; cursor: default; }
.calm-best { border-color: var(--color-accent); box-shadow: inset 0 0 0 1px var(--color-accent); }
:is(.calm-key, .calm-keys, #review-keys) kbd { font: inherit; font-size: 0.85em; border: 1px solid var(--border-color-primary);
  border-bottom-width: 2px; border-radius: 4px; padding: 0 0.35em; background: var(--background-fill-primary);
  color: var(--body-text-color); }
.calm-said { margin: 0; min-height: 1.5em; font-weight: 600; overflow-wrap: anywhere; }
:is(#review-keys, #clips-keys) summary { cursor: pointer; }
.calm-keys { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 0.3rem 1.2rem; margin: 0.5rem 0 0; }
.calm-keys div { display: flex; gap: 0.5rem; }
.calm-keys dd { margin: 0; }
.calm-link:empty { display: none; }
p.calm-link { text-decoration: none; }
#review-folder .folder-drop { min-height: 150px; display: grid; align-content: center; }
@media (max-width: 480px) { .tab-container button { padding-inline: 0.4rem !important; } } /* all tabs in one line */
.js-plotly-plot :is([class$="tick"], .infolayer, .barlayer) text { fill: var(--body-text-color) !important; }
"""

# A plot that is drawn in a tab out of sight gets a width of its own; showing the tab fits it in.
FIT_PLOTS = "() => requestAnimationFrame(() => window.dispatchEvent(new Event('resize')))"
