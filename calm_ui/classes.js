// The browser's half of classes.py, for the tiles of the open class: ticking many at once, dragging onto a card, keys.
// Gradio runs this as the body of a function of (element, trigger, props, server, upload, watch).
// Fires "submit" {clips, into}: these clips go to that class. All other acts press the button that a mouse would.
window.calmClassKeys?.abort(); // the class was opened anew: the old listeners go
const life = new AbortController();
window.calmClassKeys = life;
const forLife = { signal: life.signal };
const DRAGGED = "application/x-calm-clips";

const cards = document.querySelector("#clips-classes");
const panel = document.querySelector("#clips-class");
const tiles = () => [...element.querySelectorAll(".calm-tile")];
const box = (tile) => tile.querySelector(".calm-tick");
const ticked = () => tiles().filter((tile) => box(tile).checked);
const focused = () => document.activeElement?.closest?.("#clips-tiles .calm-tile");
const press = (id) => document.querySelector(id)?.click();
let anchor = 0; // where a range begins
let place = null; // of the focus, for when what has it is drawn anew
let kept = new Set(); // what is ticked, for the same

function tick(chosen, on = true) {
  for (const tile of chosen) box(tile).checked = on;
  kept = new Set(ticked().map((tile) => box(tile).value));
  const n = kept.size, all = element.querySelector(".calm-all");
  if (!all) return;
  all.checked = n === tiles().length;
  all.indeterminate = n > 0 && !all.checked;
  element.querySelector(".calm-ticked").textContent = n ? `${n} ticked` : "";
}

function range(to) {
  const [first, last] = [anchor, to].sort((a, b) => a - b);
  return tiles().slice(first, last + 1);
}

// The ticked clips, or else the one that has the focus.
function meant() {
  if (!ticked().length && focused()) tick([focused()]);
  return ticked();
}

function move(chosen, into) {
  if (chosen.length) trigger("submit", { clips: chosen.map((tile) => box(tile).value).join(" "), into });
}

element.addEventListener("click", (event) => {
  if (event.target.matches(".calm-tick")) {
    const at = tiles().indexOf(event.target.closest(".calm-tile"));
    tick(event.shiftKey ? range(at) : [], event.target.checked);
    if (!event.shiftKey) anchor = at;
  } else if (event.target.matches(".calm-all")) tick(tiles(), event.target.checked);
  const into = event.target.closest("[data-into]");
  if (into) move(meant(), into.dataset.into);
  const tool = event.target.closest("[data-press]");
  if (tool) press(`#${tool.dataset.press}`);
}, forLife);

element.addEventListener("dragstart", (event) => {
  const tile = event.target.closest?.(".calm-tile");
  if (!tile) return;
  if (!box(tile).checked) { // as in a file manager: what is taken hold of is what is chosen
    tick(tiles(), false);
    tick([tile]);
  }
  event.dataTransfer.setData(DRAGGED, "");
  event.dataTransfer.effectAllowed = "move";
}, forLife);

function over(event) {
  const card = event.dataTransfer?.types.includes(DRAGGED) ? event.target.closest(".calm-card") : null;
  for (const other of cards.querySelectorAll(".calm-over")) if (other !== card) other.classList.remove("calm-over");
  return card;
}
cards.addEventListener("dragover", (event) => {
  const card = over(event);
  if (!card) return;
  event.preventDefault();
  card.classList.add("calm-over");
}, forLife);
cards.addEventListener("dragleave", over, forLife);
cards.addEventListener("drop", (event) => {
  const card = over(event);
  if (!card) return;
  event.preventDefault();
  card.classList.remove("calm-over");
  move(ticked(), card.dataset.pick);
}, forLife);

function walk(step, extending) {
  const all = tiles(), from = all.indexOf(focused()), to = from + step;
  if (!all[to]) return;
  if (!extending) anchor = to;
  else { // as in a file manager: what the range leaves is no longer chosen
    tick(range(from), false);
    tick(range(to));
  }
  box(all[to]).focus();
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  const typing = target.matches("textarea, select, [contenteditable], input:not([type=checkbox])");
  const ours = target === document.body || panel.contains(target);
  if (!element.offsetParent || !ours || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const across = tiles().filter((tile) => tile.offsetTop === tiles()[0].offsetTop).length;
  const step = focused() && { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[key];
  const into = /^[1-9]$/.test(key) && element.querySelector(`[data-digit="${key}"]`);
  if (step) walk(step, event.shiftKey);
  else if (event.repeat) return;
  else if (into) move(meant(), into.dataset.into);
  else if (key === "Delete" && meant().length) press("#clips-remove-ticked");
  else if (key.toLowerCase() === "x" && meant().length) {
    press(ticked().every((tile) => "out" in tile.dataset) ? "#clips-take-in" : "#clips-leave-out");
  } else if (key.toLowerCase() === "a") tick(tiles(), ticked().length < tiles().length);
  else if (key.toLowerCase() === "z") press("#clips-undo");
  else return;
  event.preventDefault();
}, forLife);

// Drawn anew, with more pictures or after an act: ticks stay, and the focus goes back to where it was.
element.addEventListener("focusin", () => { place = focused() ? tiles().indexOf(focused()) : null; }, forLife);
document.addEventListener("calm-acted", () => tick(tiles(), false), forLife);
document.addEventListener("pointerdown", () => { place = null; }, forLife);
watch("value", () => {
  const before = kept; // Gradio puts the new clips into the old boxes, ticks and all
  tick(tiles(), false);
  tick(tiles().filter((tile) => before.has(box(tile).value)));
  if (place === null || document.activeElement !== document.body || !tiles().length) return;
  anchor = Math.min(place, tiles().length - 1);
  box(tiles()[anchor]).focus();
});
