// What all parts of the page share: elements, requests, the state, and what happens.

export function el(name, about = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(about)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && !key.startsWith("aria") && key !== "list") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

export const button = (text, run, about = {}) => el("button", { type: "button", onclick: run, ...about }, text);

export class Refused extends Error {
  constructor({ message, hint }) {
    super(message);
    this.hint = hint;
  }
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw new Refused({ message: "The studio does not answer.", hint: "Is groove studio still running?" });
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  throw new Refused(said ?? { message: `The studio answered ${response.status}.`, hint: "Reload the page." });
}

export const get = async (path) => (await answer(fetch(path))).json();
export const bytes = async (path) => (await answer(fetch(path))).arrayBuffer();
const send = (name, document) =>
  answer(fetch(`/api/${name}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(document) }));
export const post = async (name, document) => (await send(name, document)).json();
export const soundOf = async (document) => (await send("hear", { document })).arrayBuffer();
export const upload = async (file) =>
  (await answer(fetch("/api/upload", { method: "PUT", headers: { "content-type": "application/octet-stream", "x-name": encodeURIComponent(file.name) }, body: file }))).json();

export const state = { packages: new Map(), runs: new Map(), items: new Map(), tray: [], chains: [], progress: new Map(), listed: false, facts: { drums: [], palette: [] } };
const listeners = new Map();
export function on(what, run) {
  listeners.set(what, [...(listeners.get(what) ?? []), run]);
  return () => listeners.set(what, listeners.get(what).filter((one) => one !== run));
}
export function tell(what, about) {
  for (const run of listeners.get(what) ?? []) run(about);
}

export function say(text, hint = "") {
  for (const place of document.querySelectorAll("#say, dialog[open] .say")) { // a dialog covers the page
    place.textContent = [text, hint].filter(Boolean).join(" ");
    place.classList.toggle("error", Boolean(hint));
  }
}
export async function trying(run) {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message, error.hint);
    return null;
  }
}

export function takeRun(record) {
  state.runs.set(record.id, record);
  for (const item of record.items) state.items.set(item.id, item);
  if (!["waiting", "running"].includes(record.status)) state.progress.delete(record.id);
  tell("run", record);
}

const AGAIN_MS = 2000;
export function connect() {
  const source = new EventSource("/api/events");
  source.onmessage = ({ data }) => take(JSON.parse(data));
  // After a sleep or a loss of the server the page is told everything again; what is typed stays.
  source.addEventListener("hello", ({ data }) => load(JSON.parse(data)));
  source.onerror = async () => {
    say("The studio does not answer.", "What you have here stays, and goes on when it is back.");
    if (source.readyState !== EventSource.CLOSED) return; // else the browser tries again
    await trying(() => get("/api/state")); // says why, such as that another studio answers here
    setTimeout(connect, AGAIN_MS);
  };
}

function load(all) {
  state.packages = new Map(all.packages.map((one) => [one.name, one]));
  state.runs.clear();
  state.items.clear();
  for (const record of all.runs) {
    state.runs.set(record.id, record);
    for (const item of record.items) state.items.set(item.id, item);
  }
  state.progress = new Map(Object.entries(all.progress));
  Object.assign(state, { tray: all.tray, chains: all.chains, listed: all.listed, facts: all.facts });
  say("");
  tell("loaded");
}

function take(event) {
  if (event.event === "run") takeRun(event.record);
  else if (event.event === "progress") {
    state.progress.set(event.run, { ...state.progress.get(event.run), ...event });
    tell("progress", event);
  } else if (event.event === "note") tell("note", event);
  else if (event.event === "package") {
    state.packages.set(event.package.name, event.package);
    tell("packages");
  } else if (event.event === "listed") {
    state.listed = true;
    tell("packages");
  } else if (event.event === "facts") state.facts = event.facts;
  else if (event.event === "tray") {
    state.tray = event.tray;
    tell("tray");
  } else if (event.event === "chains") {
    state.chains = event.chains;
    tell("chains");
  } else if (event.event === "forgotten") {
    for (const item of state.runs.get(event.run)?.items ?? []) state.items.delete(item.id);
    state.runs.delete(event.run);
    tell("forgotten", event.run);
  }
}

export const fileOf = (item, ending) => `/file/${item.id}/${ending}`;
const documents = new Map();
export function documentOf(item) {
  if (!documents.has(item.id)) {
    documents.set(item.id, get(fileOf(item, "json")));
    documents.get(item.id).catch(() => documents.delete(item.id));
    if (documents.size > 64) documents.delete(documents.keys().next().value);
  }
  return documents.get(item.id);
}
export const titleOf = (record) => (record.package === "groove-studio" ? record.action : `${record.package} ${record.action}`);
