// Review widget: approve, correct or reject labels, label by label. The kernel side is in review.py.

import { ReviewPages } from "./review/review_pages.js";
import { widgetOf } from "./shared/dom.js";

export default widgetOf(ReviewPages);
