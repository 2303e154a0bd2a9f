// Panel in which a manager invites a person to a labelling job.

import { element } from "./dom.js";

// Ask for a name, invite the person, and show their link. `screen` has a panel, notices and requests.
export function invitePerson({ panel, notices, request }) {
  const field = element("input", {
    required: true,
    data: { first: "" },
    attributes: { "aria-label": "Name" },
  });
  const invite = async (event) => {
    event.preventDefault();
    panel.close();
    try {
      const [{ link }] = await request("invite", { person: field.value });
      notices.say("invite", `\u2068${field.value}\u2069 takes part now. ${link}`);
    } catch (error) {
      notices.say("invite", error.message, { kind: "error" });
    }
  };
  panel.open(
    "Invite a person",
    element("p", { text: "The name with which they log in, or which they enter on the page." }),
    element(
      "form",
      { class: "choices", on: { submit: invite } },
      field,
      element("button", { type: "submit", class: "primary", text: "Invite" }),
    ),
  );
}
