// The browser's half of review.py: keys and the buttons of the answers become one event {act, clip, label}.
// Gradio runs this as the body of a function of (element, trigger, props, server, upload, watch).
window.calmReviewKeys?.abort(); // the tab was built anew: its old listeners go
const life = new AbortController();
window.calmReviewKeys = life;
const forLife = { signal: life.signal };
const PATIENCE_MS = 8000; // an answer takes far less; after this the connection is lost and keys may try again
const TWICE_MS = 300; // a second press so soon is no answer about the next clip
const LETTERS = { u: "uncertain", x: "exclude", z: "undo", y: "redo", s: "skip" };

const answers = () => document.querySelector("#review-answers .calm-answering");
const shown = () => element.offsetParent !== null;
let heard = null, since = 0, refocus = null;
window.calmReviewReady = () => Date.now() - since > TWICE_MS;
element.parentElement.style.padding = 0;

// What follows an unanswered key isn't on show yet: a second key must not label a clip that nobody has seen.
function send(act, label) {
  const now = answers();
  if (!now || (heard === now.dataset.turn && Date.now() - since < PATIENCE_MS)) return;
  if (act !== "undo" && act !== "redo" && !window.calmReviewReady()) return;
  heard = now.dataset.turn;
  since = Date.now();
  trigger("submit", { act, clip: Number(now.dataset.clip) || null, label: label ?? "" });
}

function play() {
  document.querySelector("#review-player .play-pause-wrapper button:not(.rewind, .skip)")?.click();
}

// A text field, an open list: letters belong to it.
function typing(target) {
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  if (!target.matches("input")) return false;
  if (["range", "checkbox", "radio", "button", "file"].includes(target.type)) return false;
  return !(target.readOnly && target.getAttribute("aria-expanded") !== "true");
}

// Enter and Space press what has the focus; only where that would do nothing more, or play the clip, they are ours.
function presses(target) {
  const control = target.closest("button, a[href], input, summary, [role=button], [role=tab], [role=option], td, th");
  if (!control || control.closest("#review-player")) return false;
  return !(control.matches("[role=tab]") && control.getAttribute("aria-selected") === "true");
}

document.addEventListener("keydown", (event) => {
  // Out of a field of this tab, back to the keys: by Escape, and by the Enter that named a class.
  const field = shown() && event.target.closest("#review-bench") && typing(event.target);
  if (field && (event.key === "Escape" || (event.key === "Enter" && event.target.closest("#review-new-class")))) {
    setTimeout(() => event.target.blur());
  }
  if (!shown() || event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
  const { key } = event, letter = LETTERS[key.toLowerCase()];
  const digit = /^[0-9]$/.test(key) && document.querySelector(`#review-answers [data-digit="${key}"]`);
  if (key === "?") element.querySelector("details")?.toggleAttribute("open");
  else if (key === "Enter" && !presses(event.target)) send("accept");
  else if (key === " " && !presses(event.target)) play();
  else if (digit) send("label", digit.dataset.label);
  else if (letter) send(letter);
  else return;
  event.preventDefault();
  event.stopPropagation();
}, { ...forLife, capture: true });

document.addEventListener("click", (event) => {
  // What was pressed by mouse lets go of Enter and Space: they are for the clip again.
  if (event.detail > 0 && shown()) event.target.closest?.("#review-bench :is(button, summary)")?.blur();
  const button = event.target.closest?.("#review-answers [data-act]");
  if (!button || button.disabled) return;
  // Pressed by keyboard (no pointer): the focus comes back to the same button of the next clip. By mouse it must not: Enter would press it.
  refocus = event.detail === 0 ? [button.dataset.act, button.dataset.label ?? ""] : null;
  send(button.dataset.act, button.dataset.label);
}, forLife);

const home = document.querySelector("#review-answers");
const watcher = new MutationObserver(() => {
  if (!refocus || document.activeElement !== document.body) return;
  const again = [...document.querySelectorAll("#review-answers [data-act]")];
  again.find((b) => b.dataset.act === refocus[0] && (b.dataset.label ?? "") === refocus[1])?.focus();
});
if (home) watcher.observe(home, { childList: true, subtree: true });
life.signal.addEventListener("abort", () => watcher.disconnect());
