/** The pictures of the pages in docs/page, taken anew by the test that drives them: node scripts/screenshots.mjs. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const { status } = spawnSync(process.execPath, ["scripts/test.mjs", "--node", "--jobs", "1", "real/chromium-page"], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  stdio: "inherit",
  env: { ...process.env, SCREENSHOTS: "docs/page" },
});
process.exitCode = status ?? 1;
