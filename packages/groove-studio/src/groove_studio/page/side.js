// The tray, the jobs and the history.
import { button, el, get, on, post, state, titleOf, trying } from "./core.js";
import { chains, showChain } from "./chains.js";
import { copying, dialog } from "./dialog.js";

const ago = (seconds) => {
  const passed = Date.now() / 1000 - seconds;
  return passed < 60 ? "now" : passed < 5400 ? `${Math.round(passed / 60)} min ago` : passed < 129600 ? `${Math.round(passed / 3600)} h ago` : new Date(1000 * seconds).toLocaleDateString();
};

// A training writes its losses, each under its name; else "epoch 3/10: loss 0.1234" is what it says of itself.
export function curve(losses, notes) {
  const [name] = Object.keys(losses ?? {}).filter((one) => one !== "epoch");
  const points = name
    ? losses[name].map((loss, index) => [losses.epoch?.[index] ?? index, loss])
    : notes.map((one) => one.match(/^epoch (\d+)\/\d+: \w[\w ]* (-?[\d.]+)/)).filter(Boolean).map(([, epoch, loss]) => [Number(epoch), Number(loss)]);
  if (points.length < 2) return null;
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const path = points.map(([x, y], index) => `${index ? "L" : "M"}${(((x - left) / (right - left)) * 200).toFixed(1)} ${(58 - ((y - low) / (high - low || 1)) * 56).toFixed(1)}`).join("");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 200 60");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "curve");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${name ?? "loss"} from ${ys[0].toPrecision(3)} to ${ys.at(-1).toPrecision(3)} in ${points.length} points`);
  const line = document.createElementNS(svg.namespaceURI, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export function side(place, { reveal, open }) {
  const tray = el("ul"), jobs = el("div"), kept = el("ul"), past = el("div");
  place.append(
    el("section", {}, el("h2", {}, "Tray"), tray),
    el("section", {}, el("h2", {}, "Jobs"), jobs),
    el("section", {}, el("h2", {}, "Chains"), kept),
    el("section", {}, el("h2", {}, "History"), past, el("p", {}, el("a", { href: "/api/session.zip", download: "groove-studio.zip" }, "Everything as ZIP"))),
  );
  chains(kept);
  function drawTray() {
    tray.replaceChildren(...state.tray.map((id) => state.items.get(id)).filter(Boolean).map((item) => el("li", {}, button(item.name, () => reveal(item)), " ", el("span", { className: "soft" }, item.kind))));
    if (!state.tray.length) tray.append(el("li", { className: "soft" }, "☆ keeps a result here."));
  }
  const bars = new Map();
  function drawJobs() {
    bars.clear();
    const busy = [...state.runs.values()].filter((one) => ["waiting", "running"].includes(one.status));
    jobs.replaceChildren(...busy.map((record) => {
      const bar = el("progress", { max: 1, "aria-label": `Progress of ${titleOf(record)}` });
      const text = el("span", { className: "soft" }, record.status);
      const graph = el("div");
      bars.set(record.id, { bar, text, graph });
      return el("div", { className: "past" }, el("strong", {}, titleOf(record)), bar, text, graph, el("div", { className: "bar" }, button("Cancel", () => trying(() => post("cancel", { run: record.id })), { "aria-label": `Cancel ${titleOf(record)}` })));
    }));
    if (!busy.length) jobs.append(el("p", { className: "soft" }, "Nothing is running."));
    for (const record of busy) step(record.id);
  }
  function step(id) {
    const found = bars.get(id), now = state.progress.get(id);
    if (!found) return;
    if (now) {
      if (now.total) found.bar.value = now.done / now.total;
      found.text.textContent = `${now.text}: ${now.done}${now.total ? ` of ${now.total}` : ""}`;
    }
    const notes = state.runs.get(id)?.notes ?? [];
    if (!now && notes.length) found.text.textContent = notes.at(-1);
    const last = Object.entries(now?.losses ?? {}).map(([name, row]) => `${name} ${name === "epoch" ? row.at(-1) : row.at(-1).toPrecision(3)}`).join(", ");
    found.graph.replaceChildren(...[curve(now?.losses, notes), last && el("p", { className: "soft" }, last)].filter(Boolean));
  }
  const copy = async (record) => {
    const found = await trying(() => get(`/api/lines/${record.id}`));
    if (found) dialog(titleOf(record), copying("As a command line", found.command), copying("As Python", found.python), el("p", { className: "soft" }, "Both run in the folder of the workspace."));
  };
  function drawPast() {
    const done = [...state.runs.values()].filter((one) => one.status === "done").reverse().slice(0, 100);
    past.replaceChildren(...done.map((record) => {
      const action = record.package !== "groove-studio";
      return el("div", { className: "past" },
        button(titleOf(record), () => record.items[0] && reveal(record.items[0])), " ",
        el("span", { className: "soft" }, [ago(record.made), record.seed === null ? "" : `seed ${record.seed}`, record.seconds === null ? "" : `${record.seconds.toFixed(1)} s`].filter(Boolean).join(", ")),
        el("div", { className: "bar" },
          action ? button("Form", () => open(record.package, record.action, { ...record.options, ...(record.seed === null ? {} : { seed: record.seed }) }), { title: "Open the form as it was" }) : null,
          action && record.items.length ? button("Chain", () => showChain(record.items[0].id), { title: "Everything that led here: run it again, keep it" }) : null,
          action ? button("Code", () => copy(record), { title: "This run as a command line and as Python" }) : null,
          button("Forget", () => trying(() => post("forget", { run: record.id })), { "aria-label": `Forget ${titleOf(record)}` })));
    }));
  }
  const all = () => { drawTray(); drawJobs(); drawPast(); };
  on("loaded", all);
  on("tray", drawTray);
  on("forgotten", all);
  on("run", (record) => { drawJobs(); if (!["waiting", "running"].includes(record.status)) drawPast(); });
  on("progress", ({ run }) => step(run));
  on("note", ({ run, text }) => { state.runs.get(run)?.notes.push(text); step(run); });
}
