// Format numbers.

export function numeral(value) {
  return value.toLocaleString("en");
}

export function counted(number, singular, many = `${singular}s`) {
  return `${numeral(number)} ${number === 1 ? singular : many}`;
}

// Format a share such as 0.95, with one decimal at most.
export function percentText(share) {
  return `${Number((100 * share).toFixed(1))} %`;
}
