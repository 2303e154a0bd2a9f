// The labels themselves, from a screen that labels: the label manager in its panel, and what a new label makes of what is
// done. `screen` has panel, notices, info and request(kind, content); labelPane and keepsDone are kept on it.

import { counted, quoted } from "./logic.js";
import { LabelPane } from "./pane.js";

// `changed()` is called after every edit. The pane follows others as often as the screen asks it to, until it is closed.
export function openLabelManager(screen, changed) {
  const pane = new LabelPane({ request: screen.request, on: { changed } });
  screen.labelPane = pane;
  screen.panel.open("Labels", pane.node);
  screen.panel.onceClosed(() => {
    pane.close();
    screen.labelPane = null;
  });
  pane.follow().catch(() => pane.showLost());
}

// What a new label makes of the images that are done: "keep", "review", or null if it shall not be added.
export async function fateOfDone(screen, name) {
  if (!screen.info.manages_labels || screen.keepsDone) return "keep";
  try {
    const fate = await askWhatBecomesOfDone(screen, name);
    screen.keepsDone = fate === "always";
    return screen.keepsDone ? "keep" : fate;
  } catch (error) {
    screen.notices.say("label", error.message, { kind: "error" });
    return null;
  }
}

async function askWhatBecomesOfDone({ panel, request }, name) {
  const [{ done, labels }] = await request("labels", { seen: null });
  if (!done || labels.some(({ label }) => label === name)) return "keep";
  const them = done === 1 ? "it" : "them";
  return panel.ask("A new label", `${counted(done, "image")} ${done === 1 ? "is" : "are"} done already. What becomes of ${them} when ${quoted(name)} is added?`, [
    { value: "keep", label: "Keep as done", primary: true },
    { value: "review", label: "Send to needs review" },
    { value: "always", label: "Keep, and don't ask again here" },
  ]);
}
