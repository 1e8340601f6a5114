/** Upstreams under other names than those that their threads know. */

import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";
import type { InstanceFacts, UpstreamPort } from "./ports.ts";

/**
 * Gives an upstream its name in the API.
 * @param instance the facts of an instance, which has the name of its upstream
 */
export function namedUpstream<Facts extends InstanceFacts | undefined = undefined>(
  client: UpstreamClient,
  name: string,
  instance?: Facts,
): UpstreamPort & { readonly instance: Facts } {
  return {
    name,
    instance: instance as Facts,
    isShared: client.isShared,
    held: client.held,
    journals: client.journals,
    subscriptions: client.subscriptions,
    get settings() {
      return client.settings;
    },
    get protocol() {
      return client.protocol;
    },
    get state() {
      return client.state;
    },
    get inFlight() {
      return client.inFlight;
    },
    get down() {
      return client.down;
    },
    openedWithin: (timeoutMs) => client.openedWithin(timeoutMs),
    request: (request) => client.request(request),
    reply: (reply) => client.reply(reply),
    stream: (request, reader) => client.stream(request, reader),
    inspect: (withinMs) => client.inspect(withinMs),
    calls: client.calls,
    get thread() {
      return client.thread;
    },
  };
}
