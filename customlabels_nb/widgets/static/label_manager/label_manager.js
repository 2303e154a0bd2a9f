// Label manager as a separate widget: the pane of labels, with polling for changes of others.

import { follow } from "../shared/page/follow.js";
import { makeRequester } from "../shared/requests.js";
import { mount } from "../shared/template.js";
import { LabelPane } from "./pane.js";
import { labelScreen } from "./view.js";

export default {
  render({ model, el }) {
    const request = makeRequester(model);
    const focus = (label) => {
      request("label", { label }).catch(() => {});
    };
    const pane = new LabelPane({ request, on: { focus } });
    const screen = labelScreen(pane.node);
    const remove = mount(el, screen.root);
    const look = () => pane.follow().then(() => screen.paint({ isLoading: false }));
    const endFollowing = follow(model, look, () => pane.showLost());
    return () => {
      endFollowing();
      pane.close();
      request.close();
      remove();
    };
  },
};
