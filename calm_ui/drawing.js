// What click_map.js and sound_map.js begin with: a figure drawn by the plotly.js at SCRIPT_PATH, which drawing.py puts before this.
// Gradio runs the two together as the body of a function of (element, trigger, props, server, upload, watch).
const SCRIPT = (window.gradio_config?.root ?? "").replace(/\/$/, "") + SCRIPT_PATH;

// One script for all figures of the page, asked for when the first of them comes into sight: it weighs 4.8 MB.
function plotly() {
  window.calmPlotly ??= new Promise((ok, no) => {
    const tag = document.createElement("script");
    tag.src = SCRIPT;
    tag.onload = () => ok(window.Plotly);
    tag.onerror = () => { window.calmPlotly = undefined; no(new Error(`no plotly.js at ${SCRIPT}`)); };
    document.head.append(tag);
  });
  return window.calmPlotly;
}

let drawn = null; // the figure that is on the screen
// Draws a figure's JSON into a place; false where there is nothing new to draw, or the place has no width yet.
async function drawInto(place, json) {
  if (!place || !json || !place.offsetWidth || (drawn === json && place.data)) return false;
  drawn = json;
  const figure = JSON.parse(json);
  place.style.minHeight = `${figure.layout.height}px`;
  const Plotly = await plotly();
  if (drawn !== json) return false; // a later one came while the script was on its way
  await Plotly.react(place, figure.data, figure.layout, { displayModeBar: false, responsive: true });
  return true;
}

