/** The faults of what the configuration sends, or adds to messages: the protocol could never make sense of it. */

import { type AnswerRule, sampleAnswer } from "./answers.ts";
import { isInTheWay } from "./json-add.ts";
import { readFrame, textOf } from "./json-message.ts";
import type { Protocol } from "./protocol.ts";
import { ID, messageText, unsendable } from "./subscription-request.ts";

/** The settings that have such frames. */
interface Configured {
  readonly greeting: readonly { readonly send?: unknown }[];
  readonly farewell: readonly { readonly send?: unknown }[];
  readonly keepalive: { readonly heartbeat: { readonly send: unknown } | null };
  readonly protocol: string | object;
  readonly add: Readonly<Record<string, unknown>>;
}

interface ConfiguredFault {
  readonly path: readonly (string | number)[];
  readonly what: string;
}

/** Every fault of the frames that the configuration sends, its subscriptions included. */
export function faultsOfFrames(protocol: Protocol, settings: Configured & Subscribed): readonly ConfiguredFault[] {
  const subscriptions = unsendable(protocol, settings.subscriptions);
  return [
    ...configuredFaults(protocol, settings),
    ...misplacedAdditions(protocol, settings),
    ...subscriptions.map(({ path, what }) => ({ path: ["subscriptions", ...path], what })),
  ];
}

/** The values of `add` that would take the id of a message away, whose place is the protocol's. */
function misplacedAdditions({ idPlaces = [] }: Protocol, { add }: Configured): readonly ConfiguredFault[] {
  return Object.keys(add).flatMap((pointer) => {
    const place = idPlaces.find((each) => isInTheWay(pointer, each));
    const what = `would replace or move the id at "${place}", whose place is the protocol's: choose another one`;
    return place === undefined ? [] : [{ path: ["add", pointer], what }];
  });
}

interface Subscribed {
  readonly subscriptions: Parameters<typeof unsendable>[1];
}

/**
 * Checks each frame once, as the protocol will send it. Most are free in form: an upstream of JSON may well want the
 * text `ping`, and a login that is no JSON-RPC.
 */
function configuredFaults(
  protocol: Pick<Protocol, "accepts" | "adopt" | "fault">,
  settings: Configured,
): readonly ConfiguredFault[] {
  return framesOf(settings).flatMap(({ path, send }) => {
    const text = messageText(send);
    const what = faultOf(protocol, text);
    return what === undefined ? [] : [{ path, what: `can never work: ${what}` }];
  });
}

function framesOf({ greeting, farewell, keepalive: { heartbeat }, protocol }: Configured) {
  const { answers = [] } = (typeof protocol === "object" ? protocol : {}) as {
    readonly answers?: readonly AnswerRule[];
  };
  return [
    ...sentBy("greeting", greeting),
    ...sentBy("farewell", farewell),
    ...(heartbeat ? [{ path: ["keepalive", "heartbeat", "send"], send: heartbeat.send }] : []),
    ...answers.map((rule, at) => ({ path: ["protocol", "answers", at, "send"], send: sampleAnswer(rule) })),
  ];
}

function sentBy(key: string, steps: Configured["greeting"]) {
  return steps.flatMap(({ send }, at) => (send === undefined ? [] : [{ path: [key, at, "send"], send }]));
}

function faultOf({ accepts, adopt, fault }: Pick<Protocol, "accepts" | "adopt" | "fault">, text: string) {
  const json = readFrame(text);
  if (accepts === "json" && "why" in json && /^\s*[[{]/.test(text)) return `it is not JSON: ${json.why}`;
  const onTheWire = textOf(adopt?.(text, 0)?.frame ?? text) ?? "";
  const hasId = "why" in json ? onTheWire.includes(ID) : onTheWire.includes(`"${ID}"`);
  if (hasId) return `${ID} stands where this protocol has no id, and would go out as it is written`;
  return fault?.(text);
}
