// Label manager in the panel of a labelling screen, and the question about labelled images when a label is added.
// `screen` has panel, notices, info and request(kind, content). labelPane and keepsDone are stored on it.

import { counted, quoted } from "./logic.js";
import { LabelPane } from "./pane.js";

// `changed()` is called after every edit. The pane polls when the screen asks it to, until it is closed.
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

// Ask what to do with labelled images when a label is added: "keep", "review", or null to cancel.
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
  const they = done === 1 ? "it" : "they";
  return panel.ask("New label", `${counted(done, "image")} ${done === 1 ? "is" : "are"} already done. Should ${they} be checked for ${quoted(name)}?`, [
    { value: "keep", label: "Add and keep as done", primary: true },
    { value: "review", label: "Add and send to review" },
    { value: "always", label: "Keep and do not ask again" },
  ]);
}
