// Why a queue of assist is empty.

const ANSWERED = {
  prelabelled: "There are no predictions to accept: none can be trusted yet, or all are answered.",
  clustered: "All clustered images are labelled or skipped.",
  suspect: "No labels are suspected to be wrong, or all suspects are reviewed.",
};

export function emptyQueueText(queue, assist) {
  if (assist?.trained)
    return ANSWERED[queue] ?? "All images of this queue are labelled or skipped.";
  return assist?.on
    ? "Assist looks at all images first. This queue appears here as soon as it is ready."
    : "Assist has not trained yet. project.assist.start() turns it on.";
}
