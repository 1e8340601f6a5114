/**
 * Guard around a user's protocol module.
 *
 * The module runs on the thread that all requests share. Every call into it is checked, so that nothing that it throws
 * or returns can harm that thread, and the exchange can rely on the protocol.
 */

import { type Handlers, handlersOf } from "./module-handlers.ts";
import { type Fields, isNumber, isObject, type Method, type ModuleThrew, type ModuleTraits } from "./module-results.ts";
import { ModuleStates } from "./module-states.ts";
import type { ModuleConnection } from "./module-types.ts";
import type { Protocol } from "./protocol.ts";

export type { ModuleThrew } from "./module-results.ts";

/** With fewer ids, a late reply could be taken for the reply to a newer request. */
const LEAST_MAX_ID = 65_535;

/** Handlers that only a function can return, since they concern one connection. */
const OF_CONNECTIONS = ["opened", "tick", "end"] as const;

/**
 * Builds a guarded protocol from a module's exports. Throws a plain Error that names the missing or invalid member.
 * An exception of the module is reported to `threw`, and never to callers: it may hold anything.
 */
export function fromModule(exports: unknown, threw: ModuleThrew = () => {}): Protocol {
  const main = isObject(exports) ? exports.default : undefined;
  const definition = typeof main === "function" ? (main as Method)() : main;
  if (!isObject(definition)) {
    throw new Error("the protocol module has no default export that is a protocol or a function that returns one");
  }
  const traits = traitsOf(definition);
  const first = handlersOf(definition, traits, threw);
  if (typeof main !== "function") {
    const misplaced = OF_CONNECTIONS.find((key) => definition[key] !== undefined);
    if (misplaced === undefined) return { ...traits, ...first };
    throw new Error(`the protocol's "${misplaced}" needs a default export that is a function, called per connection`);
  }
  const make = (connection: ModuleConnection) => {
    const made = (main as Method)(connection);
    if (!isObject(made)) throw new TypeError("it returned no protocol for this connection");
    return handlersOf(made, traits, threw);
  };
  return { ...traits, ...first, ...ofConnections(new ModuleStates(make, first, threw), first) };
}

/** The handlers of the connection that each call is for. */
function ofConnections(
  states: ModuleStates,
  first: Handlers,
): Pick<Protocol, "states" | "encode" | "decode" | "adopt" | "toWire" | "cancel" | "replyTo"> {
  const of = (connection: number | undefined) => states.of(connection);
  const { adopt, toWire, cancel, replyTo } = first;
  return {
    states,
    encode: (message, id, route, connection) => of(connection).encode(message, id, route),
    decode: (frame, connection) => states.decoded(frame, connection),
    ...(adopt && { adopt: (frame, id, connection) => of(connection).adopt?.(frame, id) }),
    ...(toWire && { toWire: (frame, connection) => (of(connection).toWire ?? toWire)(frame) }),
    ...(cancel && { cancel: (id, alias, connection) => of(connection).cancel?.(id, alias) }),
    ...(replyTo && {
      replyTo: (request, reply, connection) => (of(connection).replyTo ?? replyTo)(request, reply),
    }),
  };
}

function traitsOf(definition: Fields): ModuleTraits & Omit<Protocol, keyof Handlers> {
  const { name, maxFrames } = definition;
  if (typeof name !== "string" || name === "")
    throw new Error('the protocol needs a "name": a string that is not empty');
  const correlation = oneOf(definition, "correlation", ["id", "order"] as const);
  const accepts = oneOf(definition, "accepts", ["json", "any"] as const);
  const ids = oneOf(definition, "ids", ["ours", "increasing", "callers"] as const);
  if (ids !== "ours" && correlation === "order") {
    throw new Error('the protocol\'s "ids" require correlation "id": with "order" there are none');
  }
  if (maxFrames !== undefined && (!isNumber(maxFrames) || maxFrames === 0)) {
    throw new Error('the protocol\'s "maxFrames" must be a whole number of at least 1');
  }
  const maxId = definition.maxId ?? Number.MAX_SAFE_INTEGER;
  if (!isNumber(maxId) || maxId < LEAST_MAX_ID) {
    throw new Error(`the protocol's "maxId" must be a whole number of at least ${LEAST_MAX_ID}`);
  }
  return {
    name,
    correlation,
    accepts,
    ids,
    maxId,
    maxFrames,
    streams: definition.streams === true,
    comparesRendered: true,
  };
}

function oneOf<T extends string>(definition: Fields, key: keyof Fields, values: readonly [T, T, ...T[]]): T {
  const value = definition[key] ?? values[0];
  const known = values.find((candidate) => candidate === value);
  if (known === undefined) throw new Error(`the protocol's "${key}" must be ${list(values)}`);
  return known;
}

function list(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(" or ");
}
