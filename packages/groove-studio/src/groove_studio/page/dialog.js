// Dialogs, and texts that can be copied.
import { button, el, say } from "./core.js";

export function dialog(title, ...children) {
  const box = el("dialog", { "aria-labelledby": "dialog-title", onclose: () => box.remove() }, el("h2", { id: "dialog-title" }, title), ...children, el("p", { className: "say soft", role: "status" }), el("div", { className: "bar" }, button("Close", () => box.close())));
  document.body.append(box);
  box.showModal();
  return box;
}

export function copying(title, text, open = true) {
  const shown = el("pre", { tabIndex: 0, "aria-label": title }, text);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied.");
    } catch { // not allowed, or a browser without a clipboard
      getSelection().selectAllChildren(shown);
      say("The browser does not let the page copy.", "The text is selected: press Ctrl-C.");
    }
  };
  return el("details", { open }, el("summary", {}, title), shown, button("Copy", copy, { "aria-label": `Copy ${title.toLowerCase()}` }));
}
