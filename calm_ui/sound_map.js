// The browser's half of sound_map.py: a player and a picture of its sound, joined by a line at the second that is heard.
const STEP_S = 0.1, LEAP_S = 1;
const one = (what) => element.querySelector(what);

let length = 0; // of the picture, in s: what a player says of a compressed file is only about right

// Where the time axis lies in the picture, in px from its left and top.
function axes() {
  const origin = one(".sound-picture").getBoundingClientRect();
  const boxes = [...element.querySelectorAll(".sound-picture .nsewdrag")].map((each) => each.getBoundingClientRect());
  if (!boxes.length || !length) return null;
  const top = Math.min(...boxes.map((box) => box.top)), bottom = Math.max(...boxes.map((box) => box.bottom));
  return { left: boxes[0].left - origin.left, width: boxes[0].width, top: top - origin.top, height: bottom - top };
}

function mark() {
  const audio = one("audio"), line = one(".sound-now"), at = axes();
  line.hidden = !at || audio.hidden;
  if (line.hidden) return;
  const now = Math.min(audio.currentTime, length);
  Object.assign(line.style, { left: `${at.left + (at.width * now) / length}px`, top: `${at.top}px`, height: `${at.height}px` });
  const picture = one(".sound-picture");
  picture.setAttribute("aria-valuenow", now.toFixed(1));
  picture.setAttribute("aria-valuetext", `${now.toFixed(1)} of ${length.toFixed(1)} seconds`);
}

function follow() {
  mark();
  if (!one("audio").paused) requestAnimationFrame(follow);
}

function go(second, play) {
  const audio = one("audio");
  audio.currentTime = Math.max(0, Math.min(second, length - 0.01));
  if (play) audio.play();
  mark();
}

let pressed = null; // where the pointer went down: a finger that scrolls the page means no second
function release(event) {
  const from = pressed;
  pressed = null;
  if (!from || one("audio").hidden || Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) > 6) return;
  const at = axes();
  if (!at) return;
  const x = event.clientX - one(".sound-picture").getBoundingClientRect().left - at.left;
  if (x >= 0 && x <= at.width) go((x / at.width) * length, true);
}

function key(event) {
  const audio = one("audio"), steps = { ArrowLeft: -STEP_S, ArrowRight: STEP_S, PageDown: -LEAP_S, PageUp: LEAP_S };
  if (audio.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in steps) go(audio.currentTime + steps[event.key]);
  else if (event.key === "Home" || event.key === "End") go(event.key === "Home" ? 0 : length);
  else if (event.key !== " " && event.key !== "Enter") return;
  else if (audio.paused) audio.play();
  else audio.pause();
  event.preventDefault();
}

async function draw() {
  const value = props.value, audio = one("audio"), picture = one(".sound-picture");
  if (!value || !audio) return;
  const source = value.audio?.url ?? "";
  if (audio.getAttribute("src") !== source) {
    audio.pause();
    audio.hidden = !source;
    picture.tabIndex = source ? 0 : -1;
    if (source) audio.src = source;
    else audio.removeAttribute("src");
  }
  audio.onplay = follow;
  audio.onpause = audio.onseeked = audio.onloadedmetadata = mark;
  picture.onpointerdown = (event) => { pressed = event; };
  picture.onkeydown = key;
  if (await drawInto(one(".sound-plot"), value.figure)) {
    length = one(".sound-plot").layout.xaxis.range?.[1] ?? 0;
    picture.setAttribute("aria-valuemax", length.toFixed(1));
  }
  mark();
}

watch("value", draw);
document.addEventListener("pointerup", release);
new ResizeObserver(draw).observe(element); // a tab out of sight has no width to draw in
draw();
