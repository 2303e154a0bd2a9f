// Choices of the user, kept by this browser. Where that is not possible (sandboxed frames), they last as long as the
// page.

const PREFIX = "customlabels_nb ";
const inThisPage = new Map();

// Return the text that was kept under `name`, or null.
export function recall(name) {
  try {
    return inThisPage.get(name) ?? localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name, text) {
  inThisPage.set(name, text);
  try {
    localStorage.setItem(PREFIX + name, text);
  } catch {
    // it is kept in the page
  }
}
