// Uploads: files are sent to the server in forms within its limits, one after another, and from there to the service.
const byId = (id) => document.getElementById(id);
const SENT_SHARE = 0.2; // share of an image's progress once the server has received it
const UNREACHABLE = "The server cannot be reached.";

export class Uploads {
  constructor(limits) {
    this.limits = limits;
    this.queue = []; // forms; the first one is in flight or failed to send
    this.busy = this.cancelled = false;
    this.reset();
    byId("cancel").addEventListener("click", () => this.cancel());
    byId("again").addEventListener("click", () => this.retry());
    byId("dismiss").addEventListener("click", () => {
      byId("problems").hidden = true;
      byId("problems").querySelector("ul").replaceChildren();
    });
  }

  reset() {
    this.total = this.queue.flat().length;
    this.finished = this.failed = 0;
    this.unfinished = []; // uploads that can be retried
  }

  async add(files) {
    if (this.cancelled) await this.running;
    if (!this.busy) this.reset();
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

  // Groups files into forms within the server's limits; files that are too large are rejected here.
  *forms(files) {
    const { max_files: maxFiles, max_file_bytes: maxFileBytes, max_body_bytes: maxBodyBytes } = this.limits;
    let form = [];
    let bytes = 0;
    for (const file of files) {
      if (file.size > maxFileBytes) {
        problem(file.name, `The file is larger than ${Math.floor(maxFileBytes / 1e6)} MB.`);
        continue;
      }
      if (form.length === maxFiles || bytes + file.size > 0.9 * maxBodyBytes) {
        yield form;
        [form, bytes] = [[], 0];
      }
      form.push(file);
      bytes += file.size;
      this.total += 1;
    }
    if (form.length > 0) yield form;
  }

  run(work) {
    this.running = this.work(work);
    return this.running;
  }

  async work(work) {
    this.busy = true;
    this.cancelled = false;
    byId("upload").hidden = byId("cancel").hidden = byId("cancel").disabled = false;
    byId("again").hidden = true;
    this.show(0, "Sending …");
    try {
      await work();
    } catch (error) {
      problem("", error.message);
    }
    this.busy = false;
    byId("cancel").hidden = true;
    byId("again").hidden = this.unfinished.length + this.queue.length === 0;
    const start = this.cancelled && this.finished < this.total ? "Cancelled; " : "";
    this.show(0, `${start}${countImages(this.finished - this.failed)} of ${this.total} uploaded.`);
  }

  async upload(form) {
    const { upload, refused } = await this.send(form, (part) => this.show(SENT_SHARE * part * form.length, "Sending …"));
    for (const { name, reason } of refused) problem(name, reason);
    this.failed += refused.length;
    this.finished += refused.length;
    if (upload === null) return;
    if (this.cancelled) this.stop(upload.id);
    await this.follow(upload.id, form.length - refused.length);
  }

  send(form, onProgress) {
    const body = new FormData();
    for (const file of form) body.append("images", file);
    return new Promise((resolve, reject) => {
      const request = (this.request = new XMLHttpRequest()); // fetch does not report upload progress
      request.open("POST", "images");
      const name = randomName();
      request.setRequestHeader("X-Form", name);
      request.responseType = "json";
      this.sending = true;
      request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
      request.upload.onload = () => { this.sending = false; };
      request.onload = () => {
        if (request.status === 202) resolve(request.response);
        else reject(new Error(detailOf(request.response) ?? `The server responded with status ${request.status}.`));
      };
      request.onerror = () => reject(new Error(UNREACHABLE));
      // The server may have had the whole form already, and have begun with its images.
      request.onabort = () => this.withdraw(name).then(() => resolve({ upload: null, refused: [] }));
      request.send(body);
    });
  }

  follow(id, count) {
    this.current = id;
    const events = new EventSource(`uploads/${id}/events`);
    return new Promise((resolve, reject) => {
      events.addEventListener("progress", (event) => {
        const { done } = JSON.parse(event.data);
        if (!this.cancelled) this.show(SENT_SHARE * count + (1 - SENT_SHARE) * done, `Sent; ${countImages(this.finished + done)} of ${this.total} stored …`);
      });
      events.addEventListener("end", (event) => {
        events.close();
        this.onEnd(JSON.parse(event.data), count);
        resolve();
      });
      events.onerror = () => {
        if (events.readyState === EventSource.CLOSED) reject(new Error("The server no longer has this upload."));
      };
    });
  }

  onEnd({ id, state, done, failed, detail }, count) {
    this.current = null;
    if (state === "cancelled") {
      this.finished += done - failed; // what was under way counts as failed
      return;
    }
    this.finished += count;
    const lost = state === "failed" && failed === 0 ? count : failed;
    if (lost === 0) return;
    this.failed += lost;
    this.unfinished.push({ id, lost, count });
    problem("", detail ?? `${countImages(lost)} could not be uploaded.`);
  }

  async retry() {
    const unfinished = this.unfinished.splice(0);
    await this.run(async () => {
      for (const upload of unfinished) {
        if (this.cancelled) {
          this.unfinished.push(upload);
          continue;
        }
        const { id, lost, count } = upload;
        this.failed -= lost;
        this.finished -= count;
        const response = await fetch(`uploads/${id}/resume`, { method: "POST" }).catch(() => null);
        if (!response?.ok) throw new Error(UNREACHABLE);
        await this.follow(id, count);
      }
      await this.drain();
    });
  }

  cancel() {
    this.cancelled = true;
    this.queue.length = 0;
    byId("cancel").disabled = true;
    byId("status").textContent = "Cancelling …";
    // A form that was sent whole is being uploaded, so its upload is stopped once the server names it.
    if (this.sending) this.request.abort();
    if (this.current) this.stop(this.current);
  }

  stop(id) {
    return this.delete(`uploads/${id}`);
  }

  withdraw(form) {
    return this.delete(`images/${form}`);
  }

  async delete(path) {
    const response = await fetch(path, { method: "DELETE" }).catch(() => null);
    if (response?.ok) return;
    problem("", response ? `The upload cannot be cancelled: status ${response.status}.` : UNREACHABLE);
    byId("cancel").disabled = false;
  }

  show(more, text) {
    const percent = this.total === 0 ? 0 : Math.floor((100 * (this.finished + more)) / this.total);
    byId("bar").value = percent;
    byId("percent").textContent = `${percent} %`;
    byId("status").textContent = text;
  }
}

function problem(name, text) {
  const line = document.createElement("li");
  line.textContent = name ? `${name}: ${text}` : text;
  byId("problems").querySelector("ul").append(line);
  byId("problems").hidden = false;
}

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID needs https
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function countImages(number) {
  return `${number} image${number === 1 ? "" : "s"}`;
}

function detailOf(response) {
  return typeof response?.detail === "string" ? response.detail : undefined;
}
