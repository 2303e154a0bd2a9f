// Format numbers and times of the dashboard. Times are in microseconds since 1970.

import { numeral } from "../shared/numbers.js";

export const SIDES = ["train", "test"];
export const STATUS_NAMES = {
  labelled: "labelled",
  needs_review: "to review",
  skipped: "skipped",
  unlabelled: "unlabelled",
};

// Isolate a name from the text direction of its surroundings.
export function isolated(name) {
  return `\u2068${name}\u2069`;
}

// Format a share, without rounding to 0 % or 100 % unless it is exact.
export function shareText(part, total) {
  if (!total) return "–";
  const percent = (100 * part) / total;
  if (part && percent < 1) return "< 1 %";
  if (part < total && percent > 99) return "> 99 %";
  return `${Math.round(percent)} %`;
}

export function paceText(imagesPerHour) {
  if (imagesPerHour === null) return "";
  return `${numeral(imagesPerHour < 10 ? Math.round(imagesPerHour * 10) / 10 : Math.round(imagesPerHour))}/h`;
}

/** @type {Intl.DateTimeFormatOptions} */
const MINUTE = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

export function momentText(microseconds) {
  return new Date(microseconds / 1000).toLocaleString("en", {
    day: "numeric",
    month: "short",
    year: "numeric",
    ...MINUTE,
  });
}

export function slotText(microseconds, unit) {
  const date = new Date(microseconds / 1000);
  if (unit === "day")
    return date.toLocaleDateString("en", { weekday: "short", day: "numeric", month: "short" });
  const end = new Date(microseconds / 1000 + 3_600_000);
  return (
    `${date.toLocaleString("en", { day: "numeric", month: "short", ...MINUTE })} – ` +
    `${end.toLocaleTimeString("en", MINUTE)}`
  );
}

export function slotCaption(microseconds, unit) {
  const date = new Date(microseconds / 1000);
  return unit === "day"
    ? date.toLocaleDateString("en", { day: "numeric", month: "short" })
    : date.toLocaleTimeString("en", MINUTE);
}
