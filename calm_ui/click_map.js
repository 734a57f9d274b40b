// The browser's half of click_map.py: draw the figure with plotly.js, tell Python which cell was clicked.
// Gradio runs this as the body of a function of (element, trigger, props, server, upload, watch).
const SCRIPT = (window.gradio_config?.root ?? "").replace(/\/$/, "") + props.script;

// One script for all maps of the page, asked for when the first of them comes into sight: it weighs 4.8 MB.
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

let drawn = null; // the value that is on the screen
async function draw() {
  const place = element.querySelector(".click-map");
  const value = props.value;
  if (!place || !value || !place.offsetWidth || (drawn === value && place.data)) return;
  drawn = value;
  place.setAttribute("aria-label", props.label_text);
  const figure = JSON.parse(value);
  place.style.minHeight = `${figure.layout.height}px`;
  const Plotly = await plotly();
  if (drawn !== value) return; // a later one came while the script was on its way
  await Plotly.react(place, figure.data, figure.layout, { displayModeBar: false, responsive: true });
  place.removeAllListeners?.("plotly_click");
  place.on("plotly_click", ({ points: [point] }) => {
    if (point && point.data.type === "heatmap") trigger("select", { map: point.curveNumber, layer: point.y - 1, head: point.x - 1 });
  });
}

watch("value", draw);
new ResizeObserver(draw).observe(element); // a tab out of sight has no width to draw in
draw();
