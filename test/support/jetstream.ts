/** Debian's `nats-server` with JetStream, on a port and in a folder of its own, for tests of the cluster. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { Child } from "./child.ts";
import { type Cleanup, until } from "./until.ts";

/** Debian keeps it in sbin, which is not on everybody's path. `NATS_SERVER` names another one. */
const PATH = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"].map((folder) => join(folder, "nats-server"));
const program = process.env.NATS_SERVER ?? PATH.find((path) => existsSync(path));

/** The reason to skip a test that needs the server; false if it is there. */
export const lacksNats: string | false = program === undefined && "not installed: nats-server";

export interface JetStreamOptions {
  readonly t: Cleanup;
  /** Lines of its configuration. */
  readonly lines?: readonly string[];
  readonly isJetStream?: boolean;
  /** A free one by default. */
  readonly port?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

export class JetStream {
  readonly #options: JetStreamOptions;
  readonly #folder: string;
  #child: Child | undefined;
  #port: number;

  private constructor(options: JetStreamOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#port = options.port ?? -1;
  }

  static async start(options: JetStreamOptions): Promise<JetStream> {
    const folder = await mkdtemp(join(tmpdir(), "sidesocket-jetstream-"));
    options.t.after(() => rm(folder, { recursive: true, force: true }));
    const server = new JetStream(options, folder);
    await server.start();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `${this.#options.tls ? "tls" : "nats"}://127.0.0.1:${this.#port}`;
  }

  /** Starts it, at the port and with the data of before. */
  async start(): Promise<void> {
    const { t, lines = [], isJetStream = true, tls } = this.#options;
    const file = join(this.#folder, "nats.conf");
    await writeFile(file, [...lines, ...(tls ? await this.#tlsLines(tls) : []), ""].join("\n"));
    const args = ["-c", file, "-a", "127.0.0.1", "-p", String(this.#port), "--ports_file_dir", this.#folder];
    if (isJetStream) args.push("-js", "-sd", this.#folder);
    const child = await Child.start({ command: program ?? "nats-server", args, env: process.env, t });
    this.#child = child;
    await child.until(() => /Server is ready/.test(child.stderr), { what: "the start" });
    const ports = join(this.#folder, `nats-server_${child.pid}.ports`);
    const url = await until(
      async () => /(?:nats|tls):[^"]+(?=")/.exec(await readFile(ports, "utf8").catch(() => ""))?.[0],
      {
        what: "the file of its ports",
      },
    );
    this.#port = Number(new URL(url).port);
  }

  async #tlsLines({ cert, key }: NonNullable<JetStreamOptions["tls"]>): Promise<readonly string[]> {
    const [certFile, keyFile] = [join(this.#folder, "cert.pem"), join(this.#folder, "key.pem")];
    await writeFile(certFile, cert);
    await writeFile(keyFile, key);
    return [`tls { cert_file: "${certFile}", key_file: "${keyFile}" }`];
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  /** Ends it in order. */
  async end(): Promise<void> {
    await this.#child?.stop();
  }

  /** Kills it, and removes all that it kept. */
  async lose(): Promise<void> {
    await this.kill();
    await rm(join(this.#folder, "jetstream"), { recursive: true, force: true });
  }

  /** Stops the process, so that its connections stay open and silent. */
  async pause(): Promise<void> {
    this.#child?.signal("SIGSTOP");
    const status = `/proc/${this.#child?.pid}/status`;
    await until(async () => /^State:\s+T/m.test(await readFile(status, "utf8")), { what: "the stop of the process" });
  }

  resume(): void {
    this.#child?.signal("SIGCONT");
  }
}
