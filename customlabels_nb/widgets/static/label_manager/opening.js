// Label manager in the panel of a labelling screen, and the notice about finished images when a label is added.
// `screen` has panel, notices, info and request(kind, content). labelPane is stored on it.

import { counted } from "../shared/numbers.js";
import { quoted } from "./state.js";
import { LabelPane } from "./pane.js";

const MANY_DONE = 20; // below, no notice is shown

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

// Offer to review finished images after a label was added. `send(action)` runs the request that marks them. With one
// label per image, the first labels come one after the other, so nothing is offered before all images are finished.
export async function offerReview(screen, name, send = (action) => action()) {
  const { alone, manages_labels: managesLabels, statuses } = screen.info;
  if (!managesLabels || (alone && statuses?.unlabelled)) return;
  const [{ done }] = await screen.request("labels", { seen: null });
  if (done < MANY_DONE) return;
  const [
    {
      uses: [[, [train, test]]],
    },
  ] = await screen.request("labels uses", { label: name });
  const without = done - train - test;
  if (without < 1) return;
  const run = () =>
    send(() => screen.request("labels change", { op: "review", label: name })).catch((error) =>
      screen.notices.say("label", error.message, { kind: "error" }),
    );
  screen.notices.say(
    "label",
    `${quoted(name)} was added. ${counted(without, "image")} ${without === 1 ? "was" : "were"} finished without it.`,
    { step: { label: "Send them to review", run } },
  );
}
