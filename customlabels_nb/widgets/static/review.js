// Review widget: approve, correct or reject labels, label by label. The kernel side is in review.py.

import { ReviewPages } from "./review/review_pages.js";

export default {
  render({ model, el }) {
    const review = new ReviewPages(model, el);
    return () => review.close();
  },
};
