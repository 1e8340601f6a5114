/** Dialect of WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/#transport). */

import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";

/** Replies have the type `success` or `error`; an error that has the id null names no command, and is a message. */
export const webdriverBidi: Dialect<never> = {
  purpose: "WebDriver BiDi: Firefox, chromedriver",
  start: [
    "upstreams:",
    "  default:",
    "    url: ws://127.0.0.1:9222/session",
    "    protocol: webdriver-bidi",
    "    # greeting:   # a connection that is not bound to a session yet needs one",
    "    #   - send: { id: 1, method: session.new, params: { capabilities: {} } }",
    "    #     expect: { match: { /id: 1, /type: success } }",
    "    #     reject: { match: { /id: 1, /type: error } }",
  ],
  build: () => ({
    protocol: json(
      {
        id: { kind: "int" },
        idsAlways: true,
        reply: { any: [{ match: { "/type": "success" } }, { match: { "/type": "error" } }] },
      },
      "webdriver-bidi",
    ),
  }),
};
