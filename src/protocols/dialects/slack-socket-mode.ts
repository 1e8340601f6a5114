/** Dialect of Slack's Socket Mode (https://docs.slack.dev/apis/events-api/using-socket-mode). */

import { withAnswers } from "../answers.ts";
import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import { DRAIN_MS, STEP_MS } from "../preset.ts";

const ENVELOPE = "/envelope_id";

/**
 * Slack greets with `hello`, wants each envelope acknowledged within three seconds, and says `disconnect` before it
 * ends a connection. An envelope is kept as a message first and acknowledged at once. Nothing that a client sends has a
 * reply.
 */
export const slackSocketMode: Dialect<never> = {
  purpose: "Slack's Socket Mode",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://wss-primary.slack.com/link/?${credentials:query}   # of apps.connections.open, for each connection",
    "    credentials: ./slack.mjs",
    "    protocol: slack-socket-mode",
  ],
  build: () => ({
    protocol: withAnswers(json({ id: { out: ENVELOPE, in: ENVELOPE, kind: "keep" } }, "slack-socket-mode"), [
      { when: { has: [ENVELOPE, "/payload"] }, send: {}, copy: { [ENVELOPE]: ENVELOPE }, keep: true },
    ]),
    greeting: [{ expect: { match: { "/type": "hello" }, within: STEP_MS } }],
    rotate: { on: { match: { "/type": "disconnect" } }, drain: DRAIN_MS },
  }),
};
