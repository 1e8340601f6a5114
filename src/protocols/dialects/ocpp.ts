/** Dialect of OCPP-J, the JSON form of the Open Charge Point Protocol (https://openchargealliance.org). */

import { type Condition, matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import { type GreetingStep, STEP_MS } from "../preset.ts";

/** The kinds of messages: a call is `[2, id, action, payload]`. */
const CALL = 2;
const RESULT = 3;
const ERROR = 4;

const refusal: Condition = { match: { "/0": ERROR } };

const accepted: Condition = { match: { "/0": RESULT, "/2/status": "Accepted" } };

/** The ids of our own calls, as their replies have them. */
const BOOT = "boot";
const BEAT = "beat";
const BEAT_MS = 10_000;

/**
 * The connection is that of a charging station. A call of the other side is a message; what answers it carries the id
 * of that call and goes out as it is written. With `vendor` and `model` the station registers itself, and keeps the
 * heartbeat that it is told.
 */
export const ocpp: Dialect<"version" | "vendor" | "model"> = {
  purpose: "OCPP 1.6 and 2.x: a charging station towards its management system",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://example.org/ocpp/STATION   # the last part is the station's identity",
    '    # headers: { authorization: "Basic ${STATION_LOGIN}" }   # base64 of identity:password',
    "    protocol:",
    "      preset: ocpp",
    '      version: "2.0.1"',
    "      # vendor: Example   # with both, the station sends its BootNotification, and heartbeats",
    "      # model: One",
    "    limits: { in_flight: 1 }   # OCPP allows one call at a time; a second one gets 429",
  ],
  options: {
    version: 'The version of OCPP, such as "1.6"; by default "2.0.1".',
    vendor: "The vendor of the station; with the model, a BootNotification is sent.",
    model: "The model of the station.",
  },
  outgoing: { vendor: true, model: true },
  forms: { version: { pattern: /^\d+(?:\.\d+)*$/, must: 'must be a version such as "1.6"' } },
  build: ({ version = "2.0.1", vendor, model }, seed) => ({
    protocol: {
      ...json(
        {
          id: { out: { at: "/1", when: { match: { "/0": CALL } } }, in: "/1", kind: "uuid" },
          reply: { any: [{ match: { "/0": RESULT } }, refusal] },
        },
        "ocpp",
        seed,
      ),
      refuses: (reply) => matchesFrame(reply, refusal),
    },
    subprotocols: [`ocpp${version}`],
    greeting: vendor === undefined || model === undefined ? [] : [registration(station(version, vendor, model))],
    // Also that of a registration by a caller.
    capture: [{ when: { ...accepted, has: ["/2/interval"] }, values: { heartbeat_interval: "/2/interval" } }],
    heartbeat: {
      send: [CALL, BEAT, "Heartbeat", {}],
      every: { value: "heartbeat_interval", unitMs: 1_000 },
      expect: { match: { "/1": BEAT } },
      within: BEAT_MS,
    },
  }),
};

function station(version: string, vendor: string, model: string): object {
  return version.startsWith("1.")
    ? { chargePointVendor: vendor, chargePointModel: model }
    : { reason: "PowerUp", chargingStation: { vendorName: vendor, model } };
}

/** A station that is not accepted may ask again after a while. */
function registration(boot: object): GreetingStep {
  const isReply = { "/1": BOOT };
  return {
    send: [CALL, BOOT, "BootNotification", boot],
    expect: {
      match: { ...accepted.match, ...isReply },
      reject: { match: isReply, not: accepted, class: "slow" },
      within: STEP_MS,
    },
  };
}
