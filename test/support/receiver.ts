/** A receiver of webhooks, which keeps what it is sent. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Item } from "./messages.ts";
import { type Cleanup, type Truthy, type WaitOptions, Watch } from "./until.ts";

export interface Delivery {
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  readonly at: number;
  readonly messages: readonly Item[];
}

/** A receiver that answers each delivery with the result of `status`; undefined leaves it unanswered. */
export class Receiver {
  readonly deliveries: Delivery[] = [];
  status: (delivery: Delivery) => number | undefined = () => 204;
  url = "";
  /** Milliseconds until it answers. */
  delayMs = 0;
  headers: Readonly<Record<string, string>> = {};
  body: (delivery: Delivery) => string | Uint8Array | undefined = () => undefined;
  readonly #watch = new Watch();
  readonly #server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      const delivery = {
        headers: request.headers,
        text,
        at: performance.now(),
        messages: JSON.parse(text).messages as Item[],
      };
      this.deliveries.push(delivery);
      const status = this.status(delivery);
      const answer = (code: number) =>
        response.writeHead(code, { location: "http://127.0.0.1:1/", ...this.headers }).end(this.body(delivery));
      if (status !== undefined && this.delayMs > 0) setTimeout(() => answer(status), this.delayMs);
      else if (status !== undefined) answer(status);
      this.#watch.changed();
    });
  });

  static async start(t: Cleanup): Promise<Receiver> {
    const receiver = new Receiver();
    const port = await receiver.listen(0);
    receiver.url = `http://127.0.0.1:${port}/hook`;
    t.after(() => receiver.stop());
    return receiver;
  }

  async listen(port: number): Promise<number> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    return this.#watch.until(condition, options);
  }

  /** The acknowledged messages, in the order of arrival. */
  taken(): number[] {
    const good = this.deliveries.filter((delivery) => this.status(delivery) === 204);
    return good.flatMap(({ messages }) => messages.map(({ data }) => (data as { params: number[] }).params[0] ?? -1));
  }
}
