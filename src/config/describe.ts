/** The configuration without its secrets (threat T7), as `check-config` prints it. */

import { outgoingOptions } from "../protocols/outgoing-options.ts";
import { isSecretName, shownProxy } from "../secrets/secrets.ts";
import type { LoadedConfig } from "./load.ts";
import type { UpstreamSettings } from "./schema.ts";
import { redactUrl } from "./wire.ts";

const REDACTED = "(redacted)";

/** Describes the configuration as a plain object for JSON. Durations are milliseconds, sizes bytes. */
export function describeConfig(loaded: LoadedConfig): Record<string, unknown> {
  const { listen, upstreams, replies, limits, quota, shutdown, watch, tokens, shutdownTokens } = loaded;
  const { insecure, log, demo, warnings } = loaded;
  return {
    listen,
    demo,
    upstreams: Object.fromEntries([...upstreams].map(([name, settings]) => [name, describeUpstream(settings)])),
    replies,
    limits,
    quota,
    shutdown,
    watch,
    tokens: tokens.length,
    shutdown_tokens: shutdownTokens.length,
    insecure,
    log,
    warnings,
  };
}

function describeUpstream({
  url,
  proxy,
  tls,
  headers,
  subprotocols,
  greeting,
  farewell,
  protocol,
  subscriptions,
  webhooks,
  keepalive,
  add,
  ...rest
}: UpstreamSettings): Record<string, unknown> {
  return {
    url: redactUrl(url),
    proxy: describeProxy(proxy),
    tls: { ...tls, ...(tls.passphrase !== undefined && { passphrase: REDACTED }) },
    headers: Object.keys(headers),
    subprotocols: subprotocols.map((name) => (isSecretName(name) ? REDACTED : name)),
    protocol: describeProtocol(protocol),
    greeting: greeting.map(describeStep),
    farewell: farewell.map(describeStep),
    subscriptions: Object.keys(subscriptions),
    webhooks: webhooks.map((webhook) => ({
      ...webhook,
      url: redactUrl(webhook.url),
      proxy: describeProxy(webhook.proxy),
      headers: Object.keys(webhook.headers),
      secret: webhook.secret === undefined ? undefined : REDACTED,
    })),
    keepalive: { ...keepalive, ...(keepalive.heartbeat && { heartbeat: { ...keepalive.heartbeat, send: REDACTED } }) },
    add: Object.keys(add),
    ...rest,
  };
}

function describeStep({ expect, ...step }: { readonly send?: unknown; readonly expect?: unknown }): string {
  return ["send" in step && "send", expect && "expect"].filter(Boolean).join(", ");
}

function describeProxy(proxy: UpstreamSettings["proxy"]): unknown {
  return proxy && { url: shownProxy(proxy), except: proxy.except };
}

function describeProtocol(protocol: UpstreamSettings["protocol"]): unknown {
  if (typeof protocol === "string") return protocol;
  const secrets = outgoingOptions(protocol);
  return Object.fromEntries(
    Object.entries(protocol).map(([name, value]) => {
      if (name === "answers") return [name, (value as readonly unknown[]).length];
      return [name, secrets.includes(name) ? REDACTED : value];
    }),
  );
}
