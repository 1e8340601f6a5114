/** The recipe of a subscription: the messages that begin and end it, and the tests of the frames that concern it. */

import type { SubscriptionSettings } from "../../config/schema.ts";
import {
  type Condition,
  compile,
  detailIn,
  type FrameText,
  finderOf,
  type PlaceOf,
  placesOf,
  type Test,
} from "../../protocols/condition.ts";
import { faultOfGroup, groupReplacement, isGroup } from "../../protocols/groups.ts";
import { check, JsonFault } from "../../protocols/json-check.ts";
import { replace } from "../../protocols/json-edit.ts";
import { checkedJson } from "../../protocols/json-message.ts";
import { locate, parsePointer } from "../../protocols/json-place.ts";
import type { Protocol } from "../../protocols/protocol.ts";
import { ID, needsIdToSend, requestOf } from "../../protocols/subscription-request.ts";
import { flat } from "../util/flat.ts";

export interface Recipe {
  /** A text, which is sent as it is, or a value. Placeholders are in it until it is sent; also in `unsubscribe`. */
  readonly request: unknown;
  /** The place of the upstream's id in the frame that agrees. */
  readonly idPlace: AgreedId | undefined;
  /** Tests if a message belongs to the subscription, given the upstream's id. */
  readonly owns: Test;
  /** Tests for the confirmations, each of which must come. Undefined: the reply agrees unless it refuses. */
  readonly agreed: readonly Test[] | undefined;
  /** Tests if a reply or a message refuses, beside the common forms of a refusal. */
  readonly refused: Test | undefined;
  /** Tests if a reply refuses, in one of the common forms or as the protocol says. */
  readonly isRefusal: Test;
  /** Tests if a message ends the subscription, given the upstream's id. */
  readonly ended: Test | undefined;
  /** The places in messages that may have the upstream's id. */
  readonly idPlaces: readonly IdPlace[];
  readonly unsubscribe: unknown;
  /** Returns what to tell people of a frame that refuses or ends it, if not the whole frame. */
  detailIn(frame: FrameText): string | undefined;
  /** False if a request that may have been sent must not be repeated. */
  readonly renews: boolean;
  /** The longest time without a message, in milliseconds. */
  readonly silenceMs: number | undefined;
}

interface AgreedId {
  /** As the settings have it. */
  readonly at: string;
  /** Returns the JSON of what is there. */
  find(frame: FrameText): string | undefined;
}

interface IdPlace {
  /** Tests if a frame has the id there. */
  readonly has: Test;
  /** Returns the frame with another id there. */
  replaced(frame: FrameText, id: string): FrameText;
}

/** The id of a subscription without one, as JSON. */
export const NO_ID = "null";

/** @param refuses recognizes replies that refuse in the protocol's own form */
export function recipeOf(settings: SubscriptionSettings, refuses?: Protocol["refuses"]): Recipe {
  const { preset, params, request, id, agreed, refused, ended, renew, silence, unsubscribe, ...condition } = settings;
  const common = {
    ended: ended && endingTest(ended, id, condition),
    detailIn: (frame: FrameText) => firstDetail(frame, [refused, ended]),
    isRefusal: refusalTest(refuses),
    renews: renew !== false,
    silenceMs: silence,
  };
  if (preset === undefined) {
    return {
      ...common,
      request,
      idPlace: id === undefined ? undefined : agreedId(id, agreed === undefined ? [] : listOf(agreed)),
      owns: compile(condition, ID),
      agreed: agreed && listOf(agreed).map((each) => compile(each)),
      refused: refused && compile(refused),
      idPlaces: [...placesIn(condition), ...(ended ? placesIn(ended) : [])],
      unsubscribe,
    };
  }
  const match = { "/method": "eth_subscription", "/params/subscription": ID };
  return {
    ...common,
    ended: ended && endingTest(ended, "/result", { match }),
    request: requestOf({ preset, params }),
    idPlace: agreedId("/result", []),
    owns: compile({ match }, ID),
    agreed: undefined,
    refused: undefined,
    idPlaces: placesIn({ match }),
    unsubscribe: { jsonrpc: "2.0", method: "eth_unsubscribe", params: [ID] },
  };
}

function firstDetail(frame: FrameText, conditions: readonly (Condition | undefined)[]): string | undefined {
  for (const condition of conditions) {
    const detail = condition && detailIn(frame, condition);
    if (detail !== undefined) return detail;
  }
  return undefined;
}

function listOf<Item>(one: Item | readonly Item[]): readonly Item[] {
  return Array.isArray(one) ? one : [one as Item];
}

/**
 * A message ends the subscription only if it names it: by `$id` in `ended`, or because it belongs to the subscription.
 * Without an id there is nothing to name it by, so `ended` alone decides.
 */
function endingTest(ended: Condition, id: string | undefined, condition: Condition): Test {
  const ends = compile(ended, ID);
  if (id === undefined || placesIn(ended).length > 0) return ends;
  const owns = compile(condition, ID);
  return (json, upstreamId) => ends(json, upstreamId) && owns(json, upstreamId);
}

/** The id's place in the frame that agrees. A group is one of a pattern that has it. */
function agreedId(at: string, agreed: readonly Condition[]): AgreedId {
  if (!isGroup(at)) return { at, find: finderOf(at, undefined) };
  const finders = agreed
    .filter(({ text }) => faultOfGroup(text, at) === undefined)
    .map((each) => ({ holds: compile(each), find: finderOf(at, each.text) }));
  const find = (frame: FrameText) => finders.find(({ holds }) => holds(frame))?.find(frame);
  return { at, find };
}

function placesIn(condition: Condition): readonly IdPlace[] {
  return placesOf(condition, ID).map((place) => ({
    has: compile({ match: { [place.at]: ID }, text: place.text }, ID),
    replaced: isGroup(place.at) ? replacedGroup(place) : replacedValue(place),
  }));
}

/** JSON stays as it is: the group may be a part of a value that must not become another one. */
function replacedGroup({ at, text: pattern }: PlaceOf): IdPlace["replaced"] {
  const replace = groupReplacement(pattern, at);
  return (frame, id) => (frame.root || frame.text === undefined ? frame : { text: replace(frame.text, id) });
}

function replacedValue({ at }: PlaceOf): IdPlace["replaced"] {
  const pointer = parsePointer(at);
  return (frame, id) => {
    if (frame.root === undefined) return frame;
    const place = locate(frame.text, frame.root, pointer);
    return place.type === "found" ? checkedJson(replace(frame.text, place.value, JSON.stringify(id))) : frame;
  };
}

const has = (pointer: string, value: string | boolean): Test => compile({ match: { [pointer]: value } });

const errorOf = finderOf("/error", undefined);
const resultOf = finderOf("/result", undefined);

/** The common forms of a refusal beside `error`, seen in replies of exchanges, brokers and Phoenix. */
const REFUSALS: readonly Test[] = [
  has("/success", false),
  has("/ok", false),
  has("/status", "error"),
  has("/event", "error"),
  has("/type", "error"),
  has("/payload/status", "error"),
];

/** Values of `error` in replies that have none. */
const NO_ERROR: ReadonlySet<string> = new Set(["null", "false", "0", '""']);

function refusalTest(refuses: Protocol["refuses"]): Test {
  return (frame) => refusesCommonly(frame) || (frame.text !== undefined && refuses?.(frame.text) === true);
}

/** Tests if a reply refuses in one of the common forms. */
export function refusesCommonly(frame: FrameText): boolean {
  const error = errorOf(frame);
  return (error !== undefined && !NO_ERROR.has(error)) || REFUSALS.some((test) => test(frame));
}

/** Tests if the reply to `unsubscribe` refuses. JSON-RPC servers return false for what they cannot end. */
export function refusesToEnd(frame: FrameText, { refused, isRefusal }: Recipe): boolean {
  return refused?.(frame) === true || isRefusal(frame) || resultOf(frame) === "false";
}

/** Bounds of an id: it is kept for as long as the subscription, and becomes a part of what ends it. */
const ID_CHARACTERS = 1_024;
const ID_DEPTH = 8;

/** The bounds of an id, for a sentence. */
export const USABLE_ID = `at most ${ID_CHARACTERS} characters and ${ID_DEPTH} levels`;

/** Returns the upstream's id in a frame, as JSON; undefined if there is none that can be used. */
export function idIn(frame: FrameText, { find }: AgreedId): string | undefined {
  const id = find(frame);
  return id === undefined || id === "null" || !isUsable(id) ? undefined : flat(id);
}

function isUsable(id: string): boolean {
  if (id.length > ID_CHARACTERS) return false;
  try {
    check(id, ID_DEPTH);
    return true;
  } catch (error) {
    if (error instanceof JsonFault) return false;
    throw error;
  }
}

/** True if the subscription cannot be ended without the upstream's id. */
export function needsIdToEnd(recipe: Recipe): boolean {
  return needsIdToSend(recipe.unsubscribe);
}

/** Replaces the upstream's id, which changes with every connection, with our name. */
export function withOurName(frame: FrameText, { idPlaces }: Recipe, upstreamId: string, name: string): string {
  const named = idPlaces.reduce(
    (each, { has, replaced }) => (has(each, upstreamId) ? replaced(each, name) : each),
    frame,
  );
  return named.text ?? "";
}
