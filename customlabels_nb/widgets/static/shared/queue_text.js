// Why a queue of assist is empty.

const ANSWERED = {
  prelabelled: "There are no predictions to accept: none can be trusted yet, or all are answered.",
  clustered: "All clustered images are labelled or skipped.",
  suspect: "No labels are suspected to be wrong, or all suspects are reviewed.",
};

export function emptyQueueText(queue, assist) {
  if (assist?.trained) return ANSWERED[queue] ?? "All images of this queue are labelled or skipped.";
  return `Assist has not trained yet. ${assist?.on ? "It starts after the first labels." : "project.assist.start() turns it on."}`;
}
