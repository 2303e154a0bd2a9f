// The labels themselves, from the gallery: the label manager in its panel, and what a new label makes of what is done.

import { counted, quoted } from "../label_manager/logic.js";
import { LabelPane } from "../label_manager/pane.js";

// `changed()` is called after every edit. Gives the pane, which follows others until the panel is closed.
export function openLabelManager(panel, request, { changed, closed }) {
  const pane = new LabelPane({ request, on: { changed } });
  panel.open("Labels", pane.node);
  panel.onceClosed(() => { pane.close(); closed(); });
  pane.follow().catch(() => pane.showLost());
  return pane;
}

// → "keep", "always" (keep, and don't ask again), "review", or null if nothing shall be added.
export async function askWhatBecomesOfDone(panel, request, name) {
  const [{ done, labels }] = await request("labels", { seen: null });
  if (!done || labels.some(({ label }) => label === name)) return "keep";
  const them = done === 1 ? "it" : "them";
  return panel.ask("A new label", `${counted(done, "image")} ${done === 1 ? "is" : "are"} done already. What becomes of ${them} when ${quoted(name)} is added?`, [
    { value: "keep", label: "Keep as done", primary: true },
    { value: "review", label: "Send to needs review" },
    { value: "always", label: "Keep, and don't ask again here" },
  ]);
}
