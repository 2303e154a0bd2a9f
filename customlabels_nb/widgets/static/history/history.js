// History panel as a separate widget.

import { Notices } from "../shared/notices.js";
import { follow } from "../shared/page/follow.js";
import { KernelGone, makeRequester } from "../shared/requests.js";
import { mount } from "../shared/template.js";
import { HistoryList } from "./list.js";
import { historyScreen } from "./view.js";

export default {
  render({ model, el }) {
    const request = makeRequester(model);
    const notices = new Notices();
    const list = new HistoryList(request, {
      said: (text, options) => notices.say("history", text, options),
    });
    const screen = historyScreen(notices.node, list.node);
    const remove = mount(el, screen.root);
    const look = async () => {
      await list.load({ quiet: true });
      notices.drop("gone");
      screen.paint(list.state);
    };
    const endFollowing = follow(model, look, (error) => {
      const text = "The kernel does not respond. Run the cell again to continue.";
      notices.say("gone", error instanceof KernelGone ? text : error.message, { kind: "error" });
    });
    return () => {
      endFollowing();
      request.close();
      remove();
    };
  },
};
