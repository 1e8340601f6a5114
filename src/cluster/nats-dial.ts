/** The dialling of one NATS server: options, credentials, and the mistakes that trying again does not mend. */
import {
  type ConnectionOptions,
  credsAuthenticator,
  type NatsConnection,
  NatsConnectionImpl,
  nkeyAuthenticator,
  setTransportFactory,
} from "@nats-io/transport-node";
import { type EngineSettings, Mistake } from "./engine.ts";
import { NatsSocket } from "./nats-socket.ts";

/** A server that is there answers well within it; one that is stopped takes the connection and is silent. */
export const DIAL_TIMEOUT_MS = 2_000;
/** Two pings without an answer: a server that is stopped is left after 2 to 3 s. */
const PING_INTERVAL_MS = 1_000;
const MAX_PINGS_OUT = 2;

const encoder = new TextEncoder();

/** @throws Mistake, or an Error that names the server */
export async function dial(server: string, settings: EngineSettings): Promise<NatsConnection> {
  // The factory is one for the program: here it is a sidecar's thread, or a command, which have no other connections.
  setTransportFactory({ factory: () => new NatsSocket() });
  try {
    return await NatsConnectionImpl.connect(dialOptions(server, settings));
  } catch (error) {
    const text = `NATS at ${new URL(server).host}: ${textOf(error)}`;
    throw mistakeOf(error, text) ?? new Error(text);
  }
}

export function textOf(error: unknown): string {
  if ((error as { readonly code?: string } | undefined)?.code === "ECONNREFUSED") return "connection refused";
  // All addresses of a name have failed: Node's own error for it has no message.
  if (error instanceof AggregateError && error.errors.length > 0) return textOf(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}

function dialOptions(server: string, { credentials, ca, member }: EngineSettings): ConnectionOptions {
  const url = new URL(server);
  const isTls = url.protocol === "tls:" || ca !== undefined;
  const [user, pass] = [url.username, url.password].map(decodeURIComponent);
  return {
    servers: url.host,
    name: `sidesocket ${member}`,
    reconnect: false,
    timeout: DIAL_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_PINGS_OUT,
    ignoreClusterUpdates: true,
    noAsyncTraces: true,
    // By its name, not by an address: Deno's permissions and the certificate are for the name.
    resolve: false,
    ...(isTls && { tls: ca === undefined ? {} : { ca } }),
    ...(user && !pass && { token: user }),
    ...(user && pass && { user, pass }),
    ...(credentials && { authenticator: authenticatorOf(credentials) }),
  };
}

/** Tries the credentials, since the library would wait for a server's answer to those that it cannot read. */
function authenticatorOf(credentials: () => string): ReturnType<typeof nkeyAuthenticator> {
  const text = credentials().trim();
  const bytes = encoder.encode(`${text}\n`);
  const authenticator = /^SU\w+$/.test(text) ? nkeyAuthenticator(bytes.subarray(0, -1)) : credsAuthenticator(bytes);
  try {
    authenticator("nonce");
  } catch {
    // The error may hold some of the secret.
    throw new Mistake("the cluster's credentials are neither a credentials file of NATS nor the seed of a user's nkey");
  }
  return authenticator;
}

/** Only these are mistakes: whatever else keeps a connection from being made may pass. */
function mistakeOf(error: unknown, text: string): Mistake | undefined {
  if (error instanceof Mistake) return error;
  const { name = "", code = "", message = "" } = (error ?? {}) as { name?: string; code?: string; message?: string };
  const isOfTls = /^(ERR_TLS|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_)/.test(code) || /certificate|'tls'/.test(message);
  if (isOfTls) return new Mistake(`${text}; check the scheme (tls or nats) and the ca of the cluster`);
  if (name === "AuthorizationError") return new Mistake(`${text}; check user, password or credentials of the cluster`);
  return undefined;
}
