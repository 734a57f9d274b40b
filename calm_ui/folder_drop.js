// The browser's half of folder_drop.py: walk the folders, upload the clips, then set the value once and fire "upload".
// Gradio runs this as the body of a function of (element, trigger, props, server, upload, watch).
const zone = element.querySelector(".folder-drop");
const input = element.querySelector("input");
const status = element.querySelector(".status");
const failures = element.querySelector(".failed");

const AT_ONCE = 4; // a browser opens six connections to a host; leave room for Gradio's own
const JUNK = /^(\.|__MACOSX$|Thumbs\.db$|desktop\.ini$)/i; // system litter: neither sent nor counted
const wanted = (relpath) => props.suffixes.some((suffix) => relpath.toLowerCase().endsWith(suffix));
const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
const say = (text) => { status.textContent = text; };
let busy = false;
element.parentElement.style.padding = 0; // Gradio 6.31 pads the block even with padding=False

function complain(relpath, error) {
  const line = document.createElement("li");
  line.textContent = `${relpath}: ${String(error?.message ?? error).slice(0, 160)}`;
  failures.append(line);
}

// Every file under a dropped entry. readEntries hands out at most 100 at a time: ask until it has none left.
async function* walk(entry, parent, failed) {
  const relpath = parent + entry.name;
  if (JUNK.test(entry.name)) return;
  if (entry.isFile) {
    yield { relpath, open: () => new Promise((ok, no) => entry.file(ok, no)) };
    return;
  }
  const reader = entry.createReader();
  try {
    for (let batch; (batch = await new Promise((ok, no) => reader.readEntries(ok, no))).length; ) {
      for (const child of batch) yield* walk(child, `${relpath}/`, failed);
    }
  } catch (error) { // a folder we may not read
    failed.push(relpath);
    complain(relpath, error);
  }
}

async function* dropped(entries, failed) {
  for (const entry of entries) yield* walk(entry, "", failed);
}

async function* picked(files) {
  for (const file of files) {
    const relpath = file.webkitRelativePath || file.name;
    if (!relpath.split("/").some((part) => JUNK.test(part))) yield { relpath, open: () => file };
  }
}

async function send(list) {
  const clips = [], files = [], skipped = [], failed = [];
  say("reading the folder");
  for await (const found of list(failed)) {
    if (!wanted(found.relpath)) skipped.push(found.relpath);
    else if (clips.push(found) > props.max_files) {
      return say(`There are more than ${props.max_files} clips; drop fewer folders at a time.`);
    }
  }
  const noun = clips.some(({ relpath }) => /\.[ct]sv$/i.test(relpath)) ? "file" : "clip";
  let next = 0, done = 0;
  const progress = () => say(`uploading ${done}/${count(clips.length, noun)}`);
  const worker = async () => {
    while (next < clips.length) {
      const at = next++, { relpath, open } = clips[at];
      try {
        const { path } = await upload(await open());
        files[at] = { path, relpath };
      } catch (error) {
        failed.push(relpath);
        complain(relpath, error);
      }
      done++;
      progress();
    }
  };
  if (clips.length) progress();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));

  const sent = files.filter(Boolean); // holes where an upload failed
  const aside = skipped.length ? `; ${count(skipped.length, "other file")} left out` : "";
  const lost = failed.length ? `; ${failed.length} did not arrive:` : "";
  say((clips.length ? `${count(sent.length, noun)} uploaded` : "No clips in there") + aside + lost);
  props.value = { files: sent, skipped, failed };
  trigger("upload", { files: sent.length }); // not "change": that stays silent when the same folder comes twice
}

async function take(list) {
  if (busy) return;
  busy = true;
  zone.setAttribute("aria-busy", "true"); // not `disabled`: a disabled input would throw the keyboard's focus away
  failures.replaceChildren();
  try {
    await send(list);
  } catch (error) {
    say(`The folder can't be read: ${error.message}`);
    throw error;
  } finally {
    busy = false;
    zone.removeAttribute("aria-busy");
  }
}

input.addEventListener("click", (event) => { if (busy) event.preventDefault(); });
input.addEventListener("change", () => {
  const files = [...input.files];
  input.value = ""; // so that choosing the same folder again counts as a change
  if (files.length) take(() => picked(files));
});
zone.addEventListener("dragover", (event) => {
  event.preventDefault();
  event.dataTransfer.dropEffect = busy ? "none" : "copy";
  zone.classList.toggle("over", !busy);
});
zone.addEventListener("dragleave", (event) => { if (!zone.contains(event.relatedTarget)) zone.classList.remove("over"); });
zone.addEventListener("drop", (event) => {
  event.preventDefault(); // otherwise the browser leaves the page to show the file
  zone.classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean); // gone after the first await
  if (entries.length) take((failed) => dropped(entries, failed));
});
if (!("webkitdirectory" in HTMLInputElement.prototype)) {
  zone.classList.add("no-folders");
  zone.querySelector(".invite").textContent = "This browser can't pick folders: use a ZIP";
}
