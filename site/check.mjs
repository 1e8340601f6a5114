/** The check of the site in a browser: nothing comes from elsewhere, nothing fails, and the search finds. */
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { delimiter, extname, join, posix } from "node:path";
import process from "node:process";
import { chromium } from "playwright-core";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const BROWSERS = ["chromium", "google-chrome", "chrome"];

/** @returns what is wrong, a sentence each */
export async function checkInBrowser(folder, base) {
  const server = createServer(({ url }, response) => {
    const { pathname } = new URL(url, "http://127.0.0.1");
    const path = pathname.startsWith(base)
      ? posix.normalize(`/${decodeURIComponent(pathname.slice(base.length))}`)
      : "/lost";
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream").end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({ executablePath: browserPath(), args: ["--no-sandbox"] });
  const wrong = [];
  try {
    for (const colorScheme of ["light", "dark"]) {
      const page = await browser.newPage({ colorScheme });
      page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(`${origin}/`) && !url.startsWith("data:")) wrong.push(`it loads ${url}`);
      });
      page.on("response", (response) => {
        if (response.status() >= 400) wrong.push(`${response.url()} is not there`);
      });
      page.on("pageerror", (error) => wrong.push(`an error: ${error.message}`));
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) wrong.push(`in the console: ${message.text()}`);
      });
      await page.goto(`${origin}${base}`, { waitUntil: "networkidle" });
      const isDark = await page.evaluate(() => document.documentElement.classList.contains("dark"));
      if (isDark !== (colorScheme === "dark"))
        wrong.push(`it is ${isDark ? "dark" : "light"} where ${colorScheme} is wanted`);
      await page.locator("#local-search button").click();
      await page.locator("#localsearch-input").fill("sent");
      const found = page.locator('.results a[href*="was-it-sent"]').first();
      await found.waitFor({ timeout: 15_000 });
      await found.click();
      await page.getByRole("heading", { level: 1, name: /Was it sent/ }).waitFor({ timeout: 15_000 });
      await page.close();
    }
  } catch (error) {
    wrong.push(error.message);
  } finally {
    await browser.close();
    server.close();
  }
  return [...new Set(wrong)];
}

function browserPath() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = BROWSERS.flatMap((name) => folders.map((folder) => join(folder, name)));
  return paths.find((path) => existsSync(path)) ?? raise(`none of ${BROWSERS.join(", ")} is on the PATH: install one`);
}

function raise(message) {
  throw new Error(message);
}
