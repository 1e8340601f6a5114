/** Dialect of Jupyter kernels behind a server (https://jupyter-client.readthedocs.io/en/stable/messaging.html). */

import { matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import { insertMissing } from "../json-edit.ts";
import { checkedJson, inKindOf, readFrame } from "../json-message.ts";
import { locate, parsePointer } from "../json-place.ts";
import { withLoneFrames } from "../lone-frame.ts";
import type { Body } from "../protocol.ts";

const MESSAGE_ID = "/header/msg_id";

/** The members that the server demands of each message, with the values of those that a caller leaves out, as JSON. */
const DEFAULTS = [
  ["/header/session", '"sidesocket"'],
  ["/header/username", '""'],
  ["/header/version", '"5.3"'],
  ["/header/date", '""'],
  ["/parent_header", "{}"],
  ["/metadata", "{}"],
  ["/content", "{}"],
] as const;

/** Messages of other channels than `shell`, by their type. */
const CHANNELS = {
  input_reply: "stdin",
  interrupt_request: "control",
  shutdown_request: "control",
  debug_request: "control",
};

const ofExecution = { match: { "/parent_header/msg_type": "execute_request" } };

/**
 * The reply to an execution is the array of all that names it as its parent, up to the status `idle`; that to any other
 * request is the message that answers it. A kernel that asks for input does so by a message.
 */
export const jupyter: Dialect<never> = {
  purpose: "Jupyter kernels, through a Jupyter server",
  start: [
    "upstreams:",
    "  default:",
    "    url: ws://127.0.0.1:8888/api/kernels/KERNEL/channels   # the id of a kernel, from /api/kernels",
    '    headers: { authorization: "token ${JUPYTER_TOKEN}" }',
    "    protocol: jupyter",
    "    limits: { reply_pause: 1h }   # how long a computation may be silent",
  ],
  build: (_, seed) => {
    const protocol = json(
      {
        id: { out: MESSAGE_ID, in: "/parent_header/msg_id", kind: "uuid" },
        idsAlways: true,
        skip: [{ match: { "/header/msg_type": "input_request" } }],
        reply: { any: [ofExecution, { not: { match: { "/channel": "iopub" } } }] },
        // Executions publish up to the status idle; of other requests, only what answers them counts.
        final: [
          { match: { ...ofExecution.match, "/header/msg_type": "status", "/content/execution_state": "idle" } },
          { not: ofExecution },
        ],
        collect: {},
      },
      "jupyter",
      seed,
    );
    return {
      protocol: withLoneFrames({
        ...protocol,
        encode(message, id, route) {
          const encoded = protocol.encode(message, id, route);
          return { ...encoded, frame: completed(encoded.frame) };
        },
      }),
    };
  },
};

/** Adds the members that the caller has left out. */
function completed(message: Body): Body {
  const json = readFrame(message);
  if ("why" in json) return message;
  const type = Object.entries(CHANNELS).find(([name]) =>
    matchesFrame(message, { match: { "/header/msg_type": name } }),
  );
  const executes = matchesFrame(message, { match: { "/header/msg_type": "execute_request" } });
  const defaults = [
    ...DEFAULTS,
    ...(executes ? [["/content/silent", "false"] as const] : []),
    ["/channel", JSON.stringify(type?.[1] ?? "shell")] as const,
  ];
  return inKindOf(message, defaults.reduce(withDefault, json.text));
}

function withDefault(text: string, [pointer, value]: readonly [string, string]): string {
  const place = locate(text, checkedJson(text).root, parsePointer(pointer));
  return place.type === "missing" ? insertMissing(text, place, value) : text;
}
