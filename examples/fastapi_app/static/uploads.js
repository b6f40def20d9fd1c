// Uploads: files go to the server in forms that it takes, one form after another, and from there to the service.
const at = (id) => document.getElementById(id);
const SENT = 0.2; // how much of the bar an image is worth once the server has it
const NO_SERVER = "The server cannot be reached.";

export class Uploads {
  constructor(limits) {
    this.limits = limits;
    this.queue = []; // forms; the first one is on its way, or could not be sent
    this.busy = false;
    this.begin();
    at("cancel").addEventListener("click", () => this.cancel());
    at("again").addEventListener("click", () => this.again());
    at("dismiss").addEventListener("click", () => {
      at("problems").hidden = true;
      at("problems").querySelector("ul").replaceChildren();
    });
  }

  begin() {
    this.total = this.queue.flat().length;
    this.through = this.failed = 0;
    this.unfinished = []; // uploads that are worth another try
    this.cancelled = false;
  }

  async add(files) {
    if (!this.busy) this.begin();
    for (const form of this.forms(files)) this.queue.push(form);
    if (this.busy || this.queue.length === 0) return;
    await this.run(() => this.drain());
  }

  async drain() {
    while (this.queue.length > 0 && !this.cancelled) {
      await this.upload(this.queue[0]);
      this.queue.shift();
    }
  }

  // As many files to a form as the server takes at once; what it never takes is refused here already.
  *forms(files) {
    const { max_files: most, max_file_bytes: largest, max_body_bytes: room } = this.limits;
    let form = [];
    let bytes = 0;
    for (const file of files) {
      if (file.size > largest) {
        problem(file.name, `The file has more than ${Math.floor(largest / 1e6)} MB.`);
        continue;
      }
      if (form.length === most || bytes + file.size > 0.9 * room) {
        yield form;
        [form, bytes] = [[], 0];
      }
      form.push(file);
      bytes += file.size;
      this.total += 1;
    }
    if (form.length > 0) yield form;
  }

  async run(work) {
    this.busy = true;
    at("upload").hidden = at("cancel").hidden = false;
    at("again").hidden = true;
    this.show(0, "Sending …");
    try {
      await work();
    } catch (error) {
      problem("", error.message);
    }
    this.busy = false;
    at("cancel").hidden = true;
    at("again").hidden = this.unfinished.length + this.queue.length === 0;
    const done = this.through - this.failed;
    if (this.cancelled) this.show(0, `Cancelled; ${counted(done)} uploaded before.`);
    else this.show(0, `${counted(done)} of ${this.total} uploaded.`);
  }

  async upload(form) {
    const before = this.through;
    const answer = await this.send(form, (part) => this.show(SENT * part * form.length, "Sending …"));
    for (const { name, reason } of answer.refused) problem(name, reason);
    this.failed += answer.refused.length;
    this.through += answer.refused.length;
    if (answer.upload !== null) await this.follow(answer.upload.id, form.length - answer.refused.length);
    this.through = before + form.length;
  }

  send(form, tell) {
    const body = new FormData();
    for (const file of form) body.append("images", file);
    return new Promise((resolve, reject) => {
      const request = (this.request = new XMLHttpRequest()); // fetch does not tell how much is sent
      request.open("POST", "images");
      request.responseType = "json";
      request.upload.onprogress = (event) => tell(event.loaded / event.total);
      request.onload = () => {
        if (request.status === 202) resolve(request.response);
        else reject(new Error(wordsOf(request.response) ?? `The server answered ${request.status}.`));
      };
      request.onerror = () => reject(new Error(NO_SERVER));
      request.onabort = () => resolve({ upload: null, refused: [] });
      request.send(body);
    });
  }

  follow(id, count) {
    this.current = id;
    const events = new EventSource(`uploads/${id}/events`);
    return new Promise((resolve, reject) => {
      events.addEventListener("progress", (event) => {
        const { done } = JSON.parse(event.data);
        this.show(SENT * count + (1 - SENT) * done, `Sent; ${counted(this.through + done)} of ${this.total} stored …`);
      });
      events.addEventListener("end", (event) => {
        events.close();
        this.ended(JSON.parse(event.data), count);
        resolve();
      });
      events.onerror = () => {
        if (events.readyState === EventSource.CLOSED) reject(new Error("The server no longer knows of this upload."));
      };
    });
  }

  ended({ id, state, failed, detail }, count) {
    this.current = null;
    if (state === "cancelled") return;
    const lost = state === "failed" && failed === 0 ? count : failed;
    if (lost === 0) return;
    this.failed += lost;
    this.unfinished.push({ id, lost, count });
    problem("", detail ?? `${counted(lost)} could not be uploaded.`);
  }

  async again() {
    const unfinished = this.unfinished.splice(0);
    await this.run(async () => {
      for (const { id, lost, count } of unfinished) {
        this.failed -= lost;
        this.through -= count;
        const answer = await fetch(`uploads/${id}/resume`, { method: "POST" }).catch(() => null);
        if (!answer?.ok) throw new Error(NO_SERVER);
        await this.follow(id, count);
        this.through += count;
      }
      await this.drain();
    });
  }

  cancel() {
    this.cancelled = true;
    this.queue.length = 0;
    this.request?.abort();
    if (this.current) fetch(`uploads/${this.current}`, { method: "DELETE" }).catch(() => problem("", NO_SERVER));
  }

  show(more, words) {
    const percent = this.total === 0 ? 0 : Math.floor((100 * (this.through + more)) / this.total);
    at("bar").value = percent;
    at("percent").textContent = `${percent} %`;
    at("told").textContent = words;
  }
}

function problem(name, words) {
  const line = document.createElement("li");
  line.textContent = name ? `${name}: ${words}` : words;
  at("problems").querySelector("ul").append(line);
  at("problems").hidden = false;
}

function counted(number) {
  return `${number} image${number === 1 ? "" : "s"}`;
}

function wordsOf(answer) {
  return typeof answer?.detail === "string" ? answer.detail : undefined;
}
