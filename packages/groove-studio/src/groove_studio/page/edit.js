// What editors share: undo, redo, and keeping the change as a new item.
import { button, el, post, say, takeRun, trying } from "./core.js";

export function editor(item, documentNow, restore, snapshot) {
  const past = [], future = [];
  const undo = button("Undo", () => step(past, future), { disabled: true });
  const redo = button("Redo", () => step(future, past), { disabled: true });
  const keep = button("Keep the change", save, { disabled: true, className: "main" });
  const refresh = () => {
    undo.disabled = !past.length;
    redo.disabled = !future.length;
    keep.disabled = !past.length;
  };
  function step(from, to) {
    if (!from.length) return;
    to.push(snapshot());
    restore(from.pop());
    refresh();
  }
  async function save() {
    keep.disabled = true;
    const record = await trying(() => post("change", { item: item.id, document: documentNow() }));
    if (!record) return refresh();
    takeRun(record);
    if (record.status === "done") say("The change is kept as a new item.");
    else {
      say(record.message, record.hint);
      refresh();
    }
  }
  const bar = el("span", { className: "bar" }, undo, redo, keep);
  return {
    bar,
    before() {
      past.push(snapshot());
      if (past.length > 200) past.shift();
      future.length = 0;
    },
    after: refresh,
    undo: () => step(past, future),
    redo: () => step(future, past),
  };
}
