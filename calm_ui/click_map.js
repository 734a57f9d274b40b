// The browser's half of click_map.py: draw the figure, tell Python which cell was clicked and outline it.
async function draw() {
  const place = element.querySelector(".click-map");
  if (!(await drawInto(place, props.value))) return;
  place.removeAllListeners?.("plotly_click");
  place.on("plotly_click", ({ points: [point] }) => {
    if (point && point.data.type === "heatmap") trigger("select", { map: point.curveNumber, layer: point.y - 1, head: point.x - 1 });
  });
}

watch("value", draw);
new ResizeObserver(draw).observe(element); // a tab out of sight has no width to draw in
draw();
