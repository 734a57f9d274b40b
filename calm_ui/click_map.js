// The browser's half of click_map.py: draw the figure, tell Python which cell was clicked, outline the head that is chosen.
// Which one that is comes as the event "calm-head" {name, layer, head}, counted from 1, and stays in window.calmHead for maps drawn later.
const place = () => element.querySelector(".click-map");

function outline() {
  const map = place(), chosen = window.calmHead;
  if (!map?.data || !chosen || !("pick" in map.dataset)) return;
  const maps = map.data.filter((trace) => trace.type === "heatmap");
  const trace = maps.length > 1 ? maps.find((each) => each.name === chosen.name) : maps[0];
  const { layer, head } = chosen;
  const box = { type: "rect", x0: head - 0.5, x1: head + 0.5, y0: layer - 0.5, y1: layer + 0.5 };
  const lines = [["#fff", 4], ["#d0021b", 2]]; // red on white is seen on all colours of the maps
  const shapes = lines.map(([color, width]) => ({ ...box, xref: trace?.xaxis ?? "x", yref: trace?.yaxis ?? "y", line: { color, width } }));
  window.Plotly.relayout(map, { shapes: trace ? shapes : [] });
}

// On a phone a cell may be too narrow for its number: the colour stays, and what is told at a touch.
const NARROW_PX = 18;
function thin() {
  const width = element.querySelector(".nsewdrag")?.getBoundingClientRect().width;
  if (!width) return;
  const wanted = (trace) => (width / trace.x.length < NARROW_PX ? "" : "%{text}");
  const changed = place().data.flatMap((trace, i) => (trace.text && trace.texttemplate !== wanted(trace) ? [i] : []));
  if (changed.length) window.Plotly.restyle(place(), { texttemplate: wanted(place().data[changed[0]]) }, changed);
}

async function draw() {
  if (!(await drawInto(place(), props.value))) return;
  thin();
  for (const event of ["plotly_click", "plotly_relayout"]) place().removeAllListeners?.(event);
  place().on("plotly_relayout", thin); // another width
  place().on("plotly_click", ({ points: [point] }) => {
    if (point && point.data.type === "heatmap") trigger("select", { map: point.curveNumber, layer: point.y - 1, head: point.x - 1 });
  });
  outline();
}

watch("value", draw);
window.addEventListener("calm-head", outline);
new ResizeObserver(draw).observe(element); // a tab out of sight has no width to draw in
draw();
