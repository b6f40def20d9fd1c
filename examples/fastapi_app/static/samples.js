// The list of samples: one card per sample, with its label drawn over the image.
const SVG = "http://www.w3.org/2000/svg";
const MAX_CARDS = 60;
const NAME_END = 10; // characters of a long name that are always shown

export class Samples {
  constructor(list, empty, more, playsLabeller) {
    this.list = list;
    this.empty = empty;
    this.more = more;
    this.playsLabeller = playsLabeller;
    this.cards = new Map();
    this.total = 0; // samples of the dataset, with those that are not shown
  }

  show(samples, total) {
    this.list.replaceChildren();
    this.cards.clear();
    this.total = total;
    for (const sample of [...samples].reverse()) this.put(sample);
    this.count();
  }

  add(sample) {
    if (!this.cards.has(sample.uuid)) this.total += 1; // otherwise, it was in the list already
    this.put(sample);
  }

  put(sample) {
    let card = this.cards.get(sample.uuid);
    if (card === undefined) {
      card = new Card(this.playsLabeller);
      this.cards.set(sample.uuid, card);
      this.list.prepend(card.element);
      card.describe(sample);
      card.label(sample.label);
    } else {
      card.describe(sample); // its label arrives in a separate event
    }
    while (this.cards.size > MAX_CARDS) this.hide(this.cards.keys().next().value);
    this.count();
  }

  label(uuid, label) {
    this.cards.get(uuid)?.label(label, true);
  }

  remove(uuid) {
    this.total -= 1;
    this.hide(uuid);
    this.count();
  }

  hide(uuid) {
    this.cards.get(uuid)?.element.remove();
    this.cards.delete(uuid);
  }

  count() {
    const hidden = this.total - this.cards.size;
    this.empty.hidden = this.cards.size > 0;
    this.more.hidden = hidden <= 0;
    this.more.textContent = hidden === 1 ? "1 more sample is not shown." : `${hidden} more samples are not shown.`;
  }
}

class Card {
  constructor(playsLabeller) {
    this.element = document.createElement("li");
    this.image = make("img", "", { loading: "lazy" });
    this.drawing = document.createElementNS(SVG, "svg");
    this.drawing.setAttribute("aria-hidden", "true");
    this.name = make("p", "name", { dir: "auto" });
    this.labelText = make("p", "label", { role: "status" });
    const picture = make("div", "picture");
    const about = make("div", "about");
    picture.append(this.image, this.drawing);
    about.append(this.name, this.labelText);
    if (playsLabeller) about.append(this.labeller());
    this.element.append(picture, about);
    this.image.addEventListener("load", () => this.fit());
    this.image.addEventListener("error", () => { this.image.alt = `${this.sample.name} (cannot be shown)`; });
  }

  describe(sample) {
    this.sample = sample;
    this.name.title = this.image.alt = sample.name;
    this.showName(sample.name);
    this.element.dataset.uuid = sample.uuid;
    this.button?.setAttribute("aria-label", `Label ${sample.name}`);
    if (sample.image !== null && this.image.getAttribute("src") !== sample.image) this.image.src = sample.image;
  }

  // Names often differ only at the end, so a long one is cut in the middle.
  showName(name) {
    const characters = [...new Intl.Segmenter().segment(name)].map(({ segment }) => segment);
    if (characters.length <= 2 * NAME_END) {
      this.name.textContent = name;
      return;
    }
    const [start, end] = [make("span", "start"), make("span", "end")];
    start.textContent = characters.slice(0, -NAME_END).join("");
    end.textContent = characters.slice(-NAME_END).join("");
    this.name.replaceChildren(start, end);
    start.style.maxWidth = `calc(100% - ${Math.ceil(end.getBoundingClientRect().width)}px)`;
  }

  label(label, isNew = false) {
    this.labelText.textContent = label === null ? "not labeled yet" : describeLabel(label);
    this.labelText.classList.toggle("there", label !== null);
    this.labelText.classList.toggle("new", isNew);
    this.drawing.replaceChildren(...(label?.shapes ?? []).map(drawShape));
  }

  fit() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`); // aligned with the image
  }

  labeller() {
    this.button = make("button", "", { type: "button" });
    this.button.textContent = "Label it";
    this.button.title = "Adds a simulated label; sandbox only";
    this.button.addEventListener("click", async () => {
      const { naturalWidth: width, naturalHeight: height } = this.image;
      const response = await fetch(`samples/${encodeURIComponent(this.sample.uuid)}/label`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ width, height }),
      }).catch(() => null);
      if (!response?.ok) this.labelText.textContent = "Labeling failed; try again.";
    });
    return this.button;
  }
}

function make(kind, className, attributes = {}) {
  const element = document.createElement(kind);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function drawShape({ kind, points }) {
  if (kind === "point") {
    const circle = document.createElementNS(SVG, "circle");
    Object.entries({ cx: points[0][0], cy: points[0][1], r: 4 }).forEach(([name, value]) => circle.setAttribute(name, value));
    return circle;
  }
  const shape = document.createElementNS(SVG, kind === "polyline" ? "polyline" : "polygon");
  if (kind === "bbox") {
    const [[left, top], [right, bottom]] = points;
    points = [[left, top], [right, top], [right, bottom], [left, bottom]];
  }
  shape.setAttribute("points", points.map((point) => point.join(",")).join(" "));
  return shape;
}

function describeLabel({ objects, status, not_drawn: notDrawn }) {
  const parts = [describeObjects(objects), statusText(status)];
  if (notDrawn > 0) parts.push(`${notDrawn} not drawn`);
  return parts.join(" · ");
}

function describeObjects(objects) {
  const parts = Object.entries(objects).map(([category, count]) => count === 1 ? category : `${category} × ${count}`);
  return parts.length ? parts.join(", ") : "no objects";
}

function statusText(status) {
  return status.toLowerCase().replaceAll("_", " ");
}
