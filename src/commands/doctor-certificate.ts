/** The check of `sidesocket doctor` on a host's certificate. */

import type { Socket } from "node:net";
import { connect as connectTls, type PeerCertificate, type TLSSocket } from "node:tls";
import { type Host, type Network, startTls } from "../net/connect.ts";
import { readSecretFile } from "../secrets/secret-file.ts";
import { reasonOf, tcpTo, type Way, withinTime } from "./doctor-way.ts";
import { type Finding, fail, ok, warn } from "./findings.ts";

/** A certificate that ends sooner than this is warned of, in milliseconds. */
const EXPIRES_SOON_MS = 14 * 24 * 60 * 60 * 1_000;

const NO_TLS = "the port may speak no TLS: correct the port, or use ws://";

export async function checkCertificate(network: Network, tcp: Socket, host: Host, way: Way): Promise<Finding> {
  const { name, ca, tls, withinMs } = way;
  const at = `${name}: TLS with ${host.hostname}:${host.port}`;
  let trusted: string | undefined;
  try {
    trusted = ca === undefined ? undefined : await readSecretFile(ca);
  } catch (error) {
    return fail(`${at}: ${(error as Error).message}`);
  }
  const ended = await handshake(
    startTls(tcp, host, { ca: trusted, servername: tls?.servername, min_version: tls?.min_version }),
    withinMs,
  );
  if (ended === undefined) return fail(`${at} is not answered within ${withinMs} ms`, NO_TLS);
  if (ended instanceof Error) {
    const { dates, cure } = await explain(network, host, way, ended);
    return fail(`${at} failed (${[reasonOf(ended), ...dates].join(", ")})`, cure);
  }
  const { valid_to: expires } = ended;
  if (!expires) return ok(`${at} is agreed on`);
  const until = `its certificate is valid until ${expires}`;
  if (Date.parse(expires) - Date.now() >= EXPIRES_SOON_MS) return ok(`${at} is agreed on, ${until}`);
  return warn(`${at} is agreed on, but ${until}`, "let its operator renew it");
}

/** @returns the certificate, or the error; undefined if the time is over */
async function handshake(tls: TLSSocket, withinMs: number): Promise<PeerCertificate | Error | undefined> {
  const ended = await withinTime<PeerCertificate | Error>(withinMs, (done) => {
    tls.once("secureConnect", () => done(tls.getPeerCertificate()));
    tls.on("error", done);
    tls.once("close", () => done(new Error("it ended the connection")));
    return () => {};
  });
  tls.destroy();
  return ended;
}

interface Explanation {
  readonly dates: readonly string[];
  readonly cure: string;
}

/**
 * Looks at the dates of a certificate that is not trusted, in a connection that sends nothing: Deno has the same error
 * for one that has expired as for one that nobody signed.
 */
async function explain(network: Network, host: Host, way: Way, error: Error): Promise<Explanation> {
  const tcp = await tcpTo(network, host, way);
  const seen =
    "socket" in tcp && (await handshake(connectTls({ socket: tcp.socket, rejectUnauthorized: false }), way.withinMs));
  if ("socket" in tcp) tcp.socket.destroy();
  if (!seen || seen instanceof Error || !seen.valid_to) return { dates: [], cure: NO_TLS };
  const dates = [`valid from ${seen.valid_from}`, `to ${seen.valid_to}`];
  const now = Date.now();
  if (Date.parse(seen.valid_to) < now) {
    return { dates, cure: "let its operator renew the certificate, unless this machine's clock is wrong" };
  }
  if (Date.parse(seen.valid_from) > now) return { dates, cure: "set this machine's clock" };
  if (/ALTNAME/.test(reasonOf(error))) return { dates: [], cure: "use a name in the url that the certificate has" };
  return { dates: [], cure: "set `ca` to the file of the certificate that signed it" };
}
