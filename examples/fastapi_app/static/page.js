// Untrusted text (names, categories) is only used as textContent or in attributes, never as HTML.
import { Samples } from "./samples.js";
import { Uploads } from "./uploads.js";

const byId = (id) => document.getElementById(id);

async function load() {
  const response = await fetch("samples");
  if (!response.ok) throw new Error((await response.json()).detail);
  return response.json();
}

const data = await loadWithRetries();
const samples = new Samples(byId("samples"), byId("empty"), byId("more"), data.plays_labeller);
const uploads = new Uploads(data);

byId("dataset").textContent = `in ${data.dataset}`;
samples.show(data.samples, data.total);
listen(data.position);

function listen(position) {
  const events = new EventSource(`events?after=${position}`);
  const on = (name, handle) => events.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  on("created", (sample) => samples.add(sample));
  on("sample", (sample) => samples.put(sample));
  on("label", ({ uuid, label }) => samples.label(uuid, label));
  on("gone", ({ uuid }) => samples.remove(uuid));
  on("reload", async () => {
    const { samples: newest, total } = await loadWithRetries();
    samples.show(newest, total);
  });
  events.onopen = () => connected(true);
  events.onerror = () => connected(false);
}

async function loadWithRetries() {
  for (let seconds = 1; ; seconds = Math.min(2 * seconds, 30)) {
    try {
      return await load();
    } catch (error) {
      byId("connection").textContent = `cannot load samples: ${error.message} Retrying …`;
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    }
  }
}

let lossTimer;

// A stream ends every 30 seconds and reconnects at once, so only longer interruptions are reported.
function connected(isConnected) {
  clearTimeout(lossTimer);
  if (isConnected) showConnection("live", true);
  else lossTimer = setTimeout(() => showConnection("connection lost, reconnecting …", false), 3000);
}

function showConnection(text, live) {
  byId("connection").textContent = text;
  byId("connection").classList.toggle("live", live);
}

const drop = byId("drop");
const files = byId("files");
files.addEventListener("change", () => {
  uploads.add([...files.files]);
  files.value = ""; // so that choosing the same file again fires an event
});
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault(); // otherwise, a file dropped outside the field would replace the page
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
