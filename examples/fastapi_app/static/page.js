// What strangers chose (names, categories) only ever becomes textContent or an attribute, never HTML.
import { Samples } from "./samples.js";
import { Uploads } from "./uploads.js";

const at = (id) => document.getElementById(id);

async function load() {
  const answer = await fetch("samples");
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer.json();
}

const album = await loadPatiently();
const samples = new Samples(at("samples"), at("empty"), album.plays_labeller);
const uploads = new Uploads(album);

at("dataset").textContent = `in ${album.dataset}`;
samples.show(album.samples);
listen(album.position);

function listen(position) {
  const events = new EventSource(`events?after=${position}`);
  const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
  on("sample", (sample) => samples.put(sample));
  on("label", ({ uuid, label }) => samples.label(uuid, label));
  on("gone", ({ uuid }) => samples.remove(uuid));
  on("reload", async () => samples.show((await loadPatiently()).samples));
  events.onopen = () => connected(true);
  events.onerror = () => connected(false);
}

async function loadPatiently() {
  for (let seconds = 1; ; seconds = Math.min(2 * seconds, 30)) {
    try {
      return await load();
    } catch (error) {
      at("connection").textContent = `no samples: ${error.message} Trying again …`;
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    }
  }
}

let lost;

// A stream ends every half minute and is opened anew at once; only what lasts is worth a word.
function connected(yes) {
  clearTimeout(lost);
  if (yes) tellConnection("live", true);
  else lost = setTimeout(() => tellConnection("connection lost, trying again …", false), 3000);
}

function tellConnection(words, live) {
  at("connection").textContent = words;
  at("connection").classList.toggle("live", live);
}

const drop = at("drop");
const files = at("files");
files.addEventListener("change", () => {
  uploads.add([...files.files]);
  files.value = ""; // so that the same file can be chosen again
});
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault(); // a file dropped beside the field would replace the page
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  uploads.add([...event.dataTransfer.files]);
});
