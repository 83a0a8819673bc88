// What editors share: undo, redo, and keeping the change as a new item.
import { button, el, post, say, takeRun, trying } from "./core.js";

const changes = new Map(); // by item: what is not kept yet

// The JSON of an item as it is shown, if that is not what it was.
export const changed = (item) => changes.get(item.id)?.documentNow() ?? null;
// The item that is shown: what has been changed is kept first; null if it cannot be.
export const kept = async (item) => (changes.has(item.id) ? changes.get(item.id).save() : item);

export function editor(item, documentNow, restore, snapshot) {
  const past = [], future = [];
  const undo = button("Undo", () => step(past, future), { disabled: true });
  const redo = button("Redo", () => step(future, past), { disabled: true });
  const keep = button("Keep the change", save, { disabled: true, className: "main" });
  const mark = (isChanged) => {
    if (isChanged) changes.set(item.id, { documentNow, save });
    else changes.delete(item.id);
    undo.disabled = !past.length;
    redo.disabled = !future.length;
    keep.disabled = !isChanged;
  };
  function step(from, to) {
    if (!from.length) return;
    to.push(snapshot());
    restore(from.pop());
    mark(past.length > 0);
  }
  async function save() {
    keep.disabled = true;
    say("Keeping the change");
    const record = await trying(() => post("change", { item: item.id, document: documentNow() }));
    if (record?.status !== "done") {
      if (record) say(record.message, record.hint);
      mark(true);
      return null;
    }
    mark(false);
    takeRun(record);
    say("The change is kept as a new result.");
    return record.items[0];
  }
  return {
    bar: el("span", { className: "bar" }, undo, redo, keep),
    before() {
      past.push(snapshot());
      if (past.length > 200) past.shift();
      future.length = 0;
    },
    after: () => mark(true),
    undo: () => step(past, future),
    redo: () => step(future, past),
  };
}
