// Chains: what led to a result, to be kept by name and run again from another beginning.
import { button, el, get, on, post, say, state, takeRun, trying } from "./core.js";
import { copying, dialog } from "./dialog.js";
import { zone } from "./form.js";

// What may stand for an input: what the options take that name it.
function taking(chain, index) {
  for (const step of chain.steps)
    for (const [name, value] of Object.entries(step.options))
      if (value?.of?.some(([place, number]) => place === "input" && number === index)) {
        const action = state.packages.get(step.package)?.actions.find((one) => one.name === step.action);
        return { ...action?.schema?.properties[name], many: false, typed: false };
      }
  return {};
}

// Shows the chain that led to an item, or one that is kept.
export async function showChain(id) {
  const chain = await trying(() => get(`/api/chain/${id}`));
  if (!chain) return;
  const kept = state.chains.some((one) => one.id === id);
  const inputs = chain.inputs.map((one, index) => {
    const made = zone(one.name, taking(chain, index), { items: [one.item] }, { id: `chain-${index}` }, () => {});
    return { ...made, row: el("div", { className: "field" }, el("label", { htmlFor: `chain-${index}` }, `It begins with ${one.name} (${one.kind})`), made.control) };
  });
  const fresh = el("input", { type: "checkbox", checked: true, id: "chain-seeds" });
  const name = el("input", { type: "text", id: "chain-name", value: chain.name, maxLength: 80, autocomplete: "off" });
  const run = async () => {
    const given = inputs.map((one) => one.read()?.items[0]);
    const missing = given.findIndex((one) => !one);
    if (missing >= 0) return say(`${chain.inputs[missing].name} is missing.`, "Pick another, or bring a file.");
    box.close();
    say(`Running ${chain.name}`);
    const made = await trying(() => post("again", { item: id, inputs: given, new_seed: fresh.checked }));
    if (!made) return null;
    takeRun(made);
    if (made.status === "done") say(`${chain.name} is done.`);
    else if (made.status === "cancelled") say(`${chain.name} was cancelled.`);
    else say(made.message, made.hint);
    return made;
  };
  const keep = async () => {
    if (!(await trying(() => post("keep-chain", { item: id, name: name.value })))) return;
    box.close();
    say(`${name.value.trim()} is kept under Chains.`);
  };
  const box = dialog(kept ? chain.name : "What led here",
    el("ol", {}, chain.steps.map((step) => el("li", {}, `${step.package} ${step.action}`, el("span", { className: "soft" }, step.seed === null ? "" : ` seed ${step.seed}`)))),
    inputs.map((one) => one.row),
    el("label", { className: "tick" }, fresh, "Draw new seeds"),
    el("div", { className: "bar" }, button("Run the chain", run, { className: "main" })),
    kept ? null : el("div", { className: "field" }, el("label", { htmlFor: "chain-name" }, "Name"), el("span", { className: "pair" }, name, button("Keep", keep, { title: "Keep the chain under this name" }))),
    copying("As command lines", chain.command, false),
    copying("As Python", chain.python, false),
    el("p", { className: "soft" }, "Both run in the folder of the workspace."));
}

export function chains(place) {
  const draw = () => {
    place.replaceChildren(...state.chains.map((chain) => el("li", {}, button(chain.name, () => showChain(chain.id)), " ", el("span", { className: "soft" }, chain.steps.length === 1 ? "1 step" : `${chain.steps.length} steps`), " ", button("Delete", () => trying(() => post("forget-chain", { chain: chain.id })), { "aria-label": `Delete the chain ${chain.name}` }))));
    if (!state.chains.length) place.append(el("li", { className: "soft" }, "Chain, in the history, keeps what led to a result."));
  };
  on("loaded", draw);
  on("chains", draw);
}
