// Format numbers and results of the results screen.

export const RESULT_WORDS = {
  tp: "true positive",
  fp: "false positive",
  fn: "false negative",
  tn: "true negative",
};

export function metricText(value) {
  return value === null || value === undefined || Number.isNaN(value) ? "–" : value.toFixed(3);
}

export function intervalText([low, high] = [null, null]) {
  return low === null || low === undefined || high === null
    ? ""
    : `[${low.toFixed(2)}, ${high.toFixed(2)}]`;
}

// Explain an interval from 1 to 1. Without mistakes on n images, up to 3 / n of new ones may have some (95% confidence,
// the rule of three). The note is empty if that is less than 1%.
export function certaintyText([low], count) {
  if (low !== 1 || count > 300) return "";
  const images = imagesText(count).replace("image", "test image");
  const most = Math.min(99, Math.round(300 / count));
  return (
    `No mistakes that change this metric in ${images}. With so few, up to about ${most}% of new ` +
    "images could still have such mistakes."
  );
}

export function deltaText(value) {
  if (value === null || value === undefined) return "";
  return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(3)}`;
}

// Return 1 or -1 if a 95% confidence interval is entirely above or below 0, otherwise 0.
export function certainSign({ low, high }) {
  if (low === null || low === undefined || high === null) return 0;
  return Number(low > 0) - Number(high < 0);
}

export function numberText(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ","); // toLocaleString is slow: 1 ms per page
}

export function imagesText(count) {
  return `${numberText(count)} image${count === 1 ? "" : "s"}`;
}

export function selectedImagesText(images) {
  return imagesText(images.length).replace(" ", " selected ");
}

export function boxesText(count) {
  return `${numberText(count)} ${count === 1 ? "box" : "boxes"}`;
}

// Describe a cell of the matrix, for boxes with the number of shown images.
export function cellText({ task, columns }, [truth, predicted], count, images) {
  const words = { boxes: ["box", "boxes"], polygons: ["mask", "masks"] }[task];
  const what = words
    ? `${numberText(count)} ${words[count === 1 ? 0 : 1]} in ${imagesText(images)}`
    : imagesText(count);
  const isLacking = task === "single-label" && predicted === columns.at(-1);
  const other = isLacking ? "without an answer" : `predicted as \u2068${predicted}\u2069`;
  return `${what}: \u2068${truth}\u2069 ${predicted === truth ? "found" : other}`;
}

// Describe one label or box of an image: "backyard (false negative) 0.22 · IoU 0.41". What is missed entirely has
// neither.
export function itemText(item, labels) {
  const taken = item.takenFor === undefined ? "" : `, overlaps ${labels[item.takenFor].label}`;
  const confidence =
    item.confidence || item.result !== "fn" ? ` ${item.confidence.toFixed(2)}` : "";
  const iou = item.iou >= 0.005 ? ` · IoU\u00a0${item.iou.toFixed(2)}` : "";
  return `${labels[item.label].label} (${RESULT_WORDS[item.result]}${taken})${confidence}${iou}`;
}

export function summaryText(counts) {
  const parts = [];
  if (counts.tp) parts.push(`${counts.tp} right`);
  if (counts.fn) parts.push(`${counts.fn} missed`);
  if (counts.fp) parts.push(`${counts.fp} false`);
  return parts.join(" · ") || "nothing";
}
