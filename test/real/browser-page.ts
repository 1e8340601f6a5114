/** A page in Chromium, driven as a person does: by keys and by the mouse, over the DevTools protocol. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { type Truthy, until } from "../support/until.ts";
import { type Chromium, startChromium } from "./chromium.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Frame {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds of the thread's own time, which other processes do not lengthen. */
  readonly tdur?: number;
  readonly args: { readonly name?: string };
}

const KEYS: Readonly<Record<string, Fields>> = {
  Tab: { key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 },
  Enter: { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" },
  Space: { key: " ", code: "Space", windowsVirtualKeyCode: 32, text: " " },
  Escape: { key: "Escape", code: "Escape", windowsVirtualKeyCode: 27 },
};

/** Counts what the Content-Security-Policy has stopped, from the page's first moment on. */
const WATCH = `globalThis.violations = [];
document.addEventListener("securitypolicyviolation", ({ blockedURI, violatedDirective }) =>
  violations.push(violatedDirective + " " + blockedURI));`;

export class BrowserPage {
  /** The addresses of all requests. */
  readonly requests: string[] = [];
  /** Errors of scripts. */
  readonly errors: string[] = [];
  readonly #chromium: Chromium;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (frame: Frame) => void>();
  readonly #traced: TraceEvent[] = [];
  readonly #violations: string[] = [];
  #next = 0;
  #session: string | undefined;
  #traceEnded = () => {};

  private constructor(chromium: Chromium, socket: WebSocket) {
    this.#chromium = chromium;
    this.#socket = socket;
    socket.on("message", (data) => this.#onFrame(JSON.parse(String(data))));
  }

  static async open(): Promise<BrowserPage> {
    const chromium = await startChromium("about:blank");
    const url = await chromium.child.until(() => /listening on (ws:\S+)/.exec(chromium.child.stderr)?.[1], {
      within: 60_000,
      what: () => `Chromium to listen ${chromium.child.output()}`,
    });
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 1 << 28 });
    await once(socket, "open");
    const page = new BrowserPage(chromium, socket);
    const { targetId } = await page.#call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await page.#call("Target.attachToTarget", { targetId, flatten: true });
    page.#session = sessionId as string;
    for (const domain of ["Page", "Runtime", "Network"]) await page.#call(`${domain}.enable`);
    await page.#call("Page.addScriptToEvaluateOnNewDocument", { source: WATCH });
    return page;
  }

  async stop(): Promise<void> {
    this.#socket.terminate();
    await this.#chromium.stop();
  }

  #call(method: string, params: Fields = {}): Promise<Fields> {
    const id = ++this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ error, result }) =>
        error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result ?? {}),
      );
      const ofBrowser = /^(Target|Tracing)\./.test(method);
      this.#socket.send(JSON.stringify({ id, method, params, ...(ofBrowser ? {} : { sessionId: this.#session }) }));
    });
  }

  #onFrame({ id, method, params = {}, ...rest }: Frame): void {
    if (id !== undefined) this.#waiting.get(id)?.(rest);
    if (id !== undefined) this.#waiting.delete(id);
    if (method === "Network.requestWillBeSent") this.requests.push((params["request"] as { url: string }).url);
    if (method === "Runtime.exceptionThrown") this.errors.push(JSON.stringify(params["exceptionDetails"]));
    if (method === "Tracing.dataCollected") this.#traced.push(...(params["value"] as TraceEvent[]));
    if (method === "Tracing.tracingComplete") this.#traceEnded();
  }

  /** Violations of the Content-Security-Policy, on this page and those before. */
  async violated(): Promise<readonly string[]> {
    this.#violations.push(...(await this.evaluate<string[]>("globalThis.violations?.splice(0) ?? []")));
    return this.#violations;
  }

  async goto(url: string): Promise<void> {
    await this.violated();
    await this.#call("Page.navigate", { url });
    await until(() => this.evaluate<boolean>("document.readyState === 'complete'"), { what: `${url} to load` });
  }

  async evaluate<Result>(expression: string): Promise<Result> {
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: Result }).value;
  }

  /** The text of an element, or undefined if there is none. */
  textOf(selector: string): Promise<string | undefined> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent`);
  }

  /** Waits for a text in an element. */
  async shows(selector: string, text: RegExp, within = 15_000): Promise<Truthy<boolean>> {
    let last: string | undefined;
    const isThere = async () => {
      last = await this.textOf(selector);
      return last !== undefined && text.test(last);
    };
    const what = () => `${text} in ${selector}: ${last?.slice(0, 600)} ${this.errors.join()}`;
    return until(isThere, { within, every: 30, what });
  }

  async press(name: keyof typeof KEYS): Promise<void> {
    await this.#call("Input.dispatchKeyEvent", { type: "keyDown", ...KEYS[name] });
    await this.#call("Input.dispatchKeyEvent", { type: "keyUp", ...KEYS[name] });
  }

  async type(text: string): Promise<void> {
    await this.#call("Input.insertText", { text });
  }

  /** Clicks in the middle of an element, again while it moves away under the mouse: the page lives. */
  async click(selector: string): Promise<void> {
    const place = `(() => { const element = document.querySelector(${JSON.stringify(selector)});
      element.scrollIntoView({ block: "center" });
      window.isClicked = false;
      element.addEventListener("click", () => { window.isClicked = true; }, { capture: true, once: true });
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 }; })()`;
    const isClicked = async () => {
      const at = { ...(await this.evaluate<Fields>(place)), button: "left", clickCount: 1 };
      await this.#call("Input.dispatchMouseEvent", { type: "mousePressed", ...at });
      await this.#call("Input.dispatchMouseEvent", { type: "mouseReleased", ...at });
      return await this.evaluate<boolean>("window.isClicked");
    };
    await until(isClicked, { every: 100, what: () => `a click on ${selector}` });
  }

  async look(scheme: "light" | "dark", width = 1_240, height = 860): Promise<void> {
    const features = [
      { name: "prefers-color-scheme", value: scheme },
      { name: "prefers-reduced-motion", value: "reduce" },
    ];
    await this.#call("Emulation.setEmulatedMedia", { features });
    await this.#call("Emulation.setScrollbarsHidden", { hidden: true });
    await this.#call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  }

  /** The top of the page, as a PNG. */
  async screenshot(): Promise<Uint8Array> {
    await this.evaluate("scrollTo(0, 0)");
    const { data } = await this.#call("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data as string, "base64");
  }

  /** The milliseconds of its own that the page's thread took for the longest of its tasks, while `act` ran. */
  async longestTask(act: () => Promise<void>): Promise<number> {
    this.#traced.length = 0;
    const ended = new Promise<void>((resolve) => {
      this.#traceEnded = resolve;
    });
    await this.#call("Tracing.start", { traceConfig: { includedCategories: ["toplevel"] } });
    await act();
    await this.#call("Tracing.end");
    await ended;
    const renderers = this.#traced.filter(
      ({ name, args }) => name === "thread_name" && /RendererMain/.test(args.name ?? ""),
    );
    const places = new Set(renderers.map(({ pid, tid }) => `${pid} ${tid}`));
    const tasks = this.#traced.filter(({ name, pid, tid }) => /RunTask$/.test(name) && places.has(`${pid} ${tid}`));
    if (tasks.length === 0) throw new Error("no task was traced");
    return Math.max(...tasks.map(({ tdur = 0 }) => tdur / 1_000));
  }

  async heapBytes(): Promise<number> {
    return (await this.#call("Runtime.getHeapUsage"))["usedSize"] as number;
  }
}
