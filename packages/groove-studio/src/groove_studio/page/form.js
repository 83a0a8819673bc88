// A form of an action's schema. Values and files are dropped on it or picked; the rest is typed.
import { button, el, get, on, post, say, state, takeRun, trying, upload } from "./core.js";

const SIMPLE = 4;
const names = new Map(); // choices of packages, asked for once
let open = null; // the form that is open

function kindsOf(about) {
  const inner = [about, ...(about.anyOf ?? [])].flatMap((one) => [one, one.items ?? {}]);
  return {
    type: inner.map((one) => one.type).find((one) => one && one !== "array" && one !== "null"),
    enum: inner.map((one) => one.enum).find(Boolean),
    min: inner.map((one) => one.minimum).find((one) => one !== undefined),
    max: inner.map((one) => one.maximum).find((one) => one !== undefined),
    path: inner.some((one) => one.format === "path"),
  };
}

// The unit of an option, which ends its name, stands below the field; there an option is a field, not a flag.
const label = (name) => name.replace(/_(s|ms|bpm|hz|db|percent)$/, "").replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());
const asField = (text) => text?.replace(/--([a-z][\w-]*)/g, (_, flag) => flag.replaceAll("-", " "));
const range = (low, high, unit) => [low !== undefined && high !== undefined ? `${low} to ${high}` : low !== undefined ? `at least ${low}` : high !== undefined ? `at most ${high}` : "", unit ?? ""].join(" ").trim();

export function show(place, pack, action, given = {}) {
  open = new Form(place, pack, action, given);
  return open;
}

// Takes files of one's own, and returns what they hold.
export async function brought(files) {
  const items = [];
  for (const file of files) {
    say(`Reading ${file.name}`);
    const record = await trying(() => upload(file));
    if (!record) continue;
    takeRun(record);
    if (record.status !== "done") say(record.message, record.hint);
    else {
      say("");
      items.push(...record.items);
    }
  }
  return items;
}

// Where values and files are dropped, picked or brought, and some kinds typed.
export function zone(name, about, given, described, changed) {
  const chosen = (given?.items ?? []).filter((id) => state.items.has(id));
  const many = about.many;
  const takes = (item) => !about.takes || about.takes.includes(item.kind);
  const list = el("ul", { className: "chosen" });
  const text = about.typed ? el("input", { type: "text", placeholder: "or type it, as in C4 E4 G4", value: given?.text ?? "", "aria-label": `${label(name)} as text` }) : null;
  const draw = () => {
    list.replaceChildren(...chosen.map((id, index) => el("li", {}, state.items.get(id)?.name ?? "gone", button("Remove", () => { chosen.splice(index, 1); draw(); changed(); }, { "aria-label": `Remove ${state.items.get(id)?.name}` }))));
    pick.replaceChildren(el("option", { value: "" }, "Pick one"), ...[...state.items.values()].filter(takes).reverse().slice(0, 200).map((item) => el("option", { value: item.id }, `${item.name} (${item.kind})`)));
  };
  const add = (id) => {
    const item = state.items.get(id);
    if (!item) return;
    if (!takes(item)) return say(`${item.name} is a ${item.kind}.`, `This takes ${about.takes.join(" or ")}.`);
    if (!many) chosen.length = 0;
    chosen.push(id);
    draw();
    changed();
  };
  const bring = async (files) => {
    for (const item of await brought(files)) add(item.id);
  };
  const pick = el("select", { ...described, onchange: () => add(pick.value) });
  const files = el("input", { type: "file", multiple: many, hidden: true, accept: about.endings?.map((one) => `.${one}`).join(","), onchange: () => { bring([...files.files]); files.value = ""; } });
  const place = el("div", { className: "zone",
    ondragover: (event) => { event.preventDefault(); place.classList.add("over"); },
    ondragleave: () => place.classList.remove("over"),
    ondrop: (event) => {
      event.preventDefault();
      place.classList.remove("over");
      const id = event.dataTransfer.getData("application/x-groove-item");
      if (id) add(id);
      else bring([...event.dataTransfer.files]);
    } }, list, pick, button("Bring a file", () => files.click()), files, text);
  draw();
  return { control: place, draw, read: () => (chosen.length ? { items: [...chosen] } : text?.value.trim() ? { text: text.value.trim() } : null) };
}

class Form {
  constructor(place, pack, action, given) {
    Object.assign(this, { pack, action, fields: new Map(), started: null });
    const properties = Object.entries(action.schema.properties).filter(([, about]) => about.role !== "place" || about.type === "boolean");
    const first = [], more = [];
    let plain = 0;
    for (const [name, about] of properties) {
      const field = this.field(name, about, given[name]);
      const simple = about.takes || about.role === "seed" || action.schema.required.includes(name) || (!["device", "place"].includes(about.role) && plain++ < SIMPLE);
      (simple ? first : more).push(field);
    }
    this.error = el("p", { className: "error", role: "alert", hidden: true });
    this.auto = el("input", { type: "checkbox", id: "auto" });
    this.autoRow = el("label", { className: "tick", hidden: true }, this.auto, "Apply while I change");
    const wide = more.some((one) => one.dataset.given);
    this.form = el("form", { onsubmit: (event) => { event.preventDefault(); this.run(); }, oninput: () => this.changed() },
      el("h2", {}, pack.name), el("h3", {}, action.name), el("p", { className: "soft" }, action.summary), first,
      more.length ? el("details", { open: wide }, el("summary", {}, "More"), more) : null,
      this.error, this.autoRow, el("div", { className: "bar" }, el("button", { type: "submit", className: "main" }, action.role === "trainer" ? "Train" : "Run"),
        action.help ? el("details", { className: "help" }, el("summary", {}, "What it does"), el("p", { className: "prose" }, action.help)) : null));
    place.replaceChildren(this.form);
    place.scrollTop = 0;
    on("run", (record) => this.heard(record));
  }

  field(name, about, given) {
    const id = `option-${name}`;
    const said = `${id}-about`;
    const { control, read } = this.control(name, about, given, id, said);
    this.fields.set(name, { read, about });
    const shown = kindsOf(about);
    const text = [asField(about.description), shown.enum ? "" : range(shown.min, shown.max, about.unit)].filter(Boolean).join(", ");
    const row = el("div", { className: about.type === "boolean" ? "field tick" : "field" }, el("label", { htmlFor: id }, label(name)), control, el("p", { id: said, className: "soft" }, text));
    if (given !== undefined && given !== null) row.dataset.given = "yes";
    return row;
  }

  control(name, about, given, id, said) {
    const kind = kindsOf(about);
    const described = { id, "aria-describedby": said };
    if (about.takes || kind.path) {
      const found = zone(name, about, given, described, () => this.changed());
      this.redraw = [...(this.redraw ?? []), found.draw];
      return found;
    }
    const value = given ?? about.default ?? null;
    if (kind.type === "boolean") {
      const box = el("input", { ...described, type: "checkbox", checked: Boolean(value) });
      return { control: box, read: () => box.checked };
    }
    if (kind.enum) {
      const none = about.default === null || about.default === undefined;
      const list = el("select", described, none ? el("option", { value: "" }, "-") : null, kind.enum.map((one) => el("option", { value: one }, String(one))));
      list.value = value ?? "";
      const number = kind.type === "integer";
      return { control: list, read: () => (list.value === "" ? null : number ? Number(list.value) : list.value) };
    }
    if (kind.type === "integer" || kind.type === "number") return this.number(about, kind, value, described);
    const text = el("input", { ...described, type: "text", value: Array.isArray(value) ? value.join(", ") : value ?? "", autocomplete: "off", spellcheck: false });
    if (about.named) this.suggest(text, about);
    const many = about.many;
    return { control: text, read: () => (text.value.trim() === "" ? null : many ? text.value.split(",").map((one) => one.trim()) : text.value.trim()) };
  }

  number(about, kind, value, described) {
    const whole = kind.type === "integer";
    const field = el("input", { ...described, type: "number", value: value ?? "", step: whole ? 1 : "any", min: kind.min ?? "", max: kind.max ?? "" });
    const read = () => (field.value === "" ? null : Number(field.value));
    if (about.role === "seed") {
      const die = button("Draw", () => { field.value = Math.floor(Math.random() * 2 ** 32); this.changed(); }, { title: "Draw a seed" });
      return { control: el("span", { className: "pair" }, field, die), read };
    }
    if (kind.min === undefined || kind.max === undefined || kind.max - kind.min > 1e4) return { control: field, read };
    const slider = el("input", { type: "range", min: kind.min, max: kind.max, step: whole ? 1 : (kind.max - kind.min) / 100, value: value ?? kind.min, "aria-label": label(described.id.replace("option-", "")), oninput: () => { field.value = slider.value; } });
    field.addEventListener("input", () => { slider.value = field.value; });
    return { control: el("span", { className: "pair" }, slider, field), read };
  }

  async suggest(text, about) {
    const list = el("datalist", { id: `${text.id}-list` });
    text.setAttribute("list", list.id);
    if (!names.has(this.pack.name)) names.set(this.pack.name, get(`/api/choices/${this.pack.name}`).catch(() => ({})));
    const found = (await names.get(this.pack.name))[this.action.name]?.[about.flag] ?? [];
    list.append(...found.map((one) => el("option", { value: one })));
    if (!text.isConnected) return;
    text.after(list);
  }

  options() {
    const found = {};
    for (const [name, { read, about }] of this.fields) {
      const value = read();
      if (value !== null && JSON.stringify(value) !== JSON.stringify(about.default)) found[name] = value;
    }
    return found;
  }

  changed() {
    if (!this.auto.checked || open !== this) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(true), 250);
  }

  // While one adjusts, each result takes the place of the one before.
  async run(auto = false) {
    this.error.hidden = true;
    try {
      const record = await post("run", { package: this.pack.name, action: this.action.name, options: this.options(), replaces: auto ? this.adjusted : null });
      this.adjusted = auto ? record.id : null;
      this.started = record.id;
      takeRun(record);
      return record;
    } catch (error) {
      this.fail(error.message, error.hint ?? "");
    }
    return null;
  }

  fail(message, hint) {
    this.error.replaceChildren(el("strong", {}, message), " ", hint);
    this.error.hidden = false;
  }

  heard(record) {
    if (open !== this) return;
    if (record.id === this.started && record.status === "failed") this.fail(record.message, record.hint);
    if (record.status !== "done") return;
    names.delete(record.package); // a training has made a checkpoint that can be named
    for (const draw of this.redraw ?? []) draw();
    if (record.id === this.started && record.seconds < 0.5) this.autoRow.hidden = false;
  }
}
