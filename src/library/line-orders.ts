/** The subscriptions that callers on lines order. */

import { demandOrder } from "../config/subscription-order.ts";
import { refused } from "../errors.ts";
import { arePatternsReady, preparePatterns } from "../protocols/lazy-pattern.ts";
import type { LineOrders } from "../sidecar/host/blocking-lines.ts";
import { claim, demandUndeclared } from "../sidecar/host/subscribe.ts";
import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";

export function lineOrders(client: UpstreamClient): LineOrders {
  const { subscriptions } = client;
  return {
    prepare: (order) => preparePatterns(JSON.parse(order)),

    subscribe(name, text) {
      const given: unknown = JSON.parse(text);
      if (!arePatternsReady(given)) {
        const cure = "await subscribe(…).agreed, or subscribe from a line of another thread";
        throw refused("invalid_request", `the order has a text, whose compiler must be loaded first: ${cure}`);
      }
      const { name: _, ...order } = demandOrder(given, "the order");
      if (claim(client, { name, order })) return false;
      subscriptions.add(name, order);
      return true;
    },

    unsubscribe(name) {
      if (!subscriptions.get(name)) throw refused("not_found", `unknown subscription ${JSON.stringify(name)}`);
      demandUndeclared(client, name);
      subscriptions.forget(name);
    },
  };
}
