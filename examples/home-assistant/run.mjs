/** A script switches the light of a fake Home Assistant, and then a REST command of another one does. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { beside, example, run, startService } from "../parts.mjs";
import { startHome } from "./fake-home.mjs";

await example(async () => {
  const home = await startHome("a token");
  const env = { UPSTREAM_URL: home.url, HA_TOKEN: "a token" };
  const service = await startService(["--config", beside(import.meta.url, "home.yaml")], env);
  await run(["sh", beside(import.meta.url, "lights.sh")], { SIDESOCKET_URL: service });

  // As Home Assistant does it: fills in the template, and makes the request.
  const { rest_command } = parse(readFileSync(beside(import.meta.url, "rest_command.yaml"), "utf8"));
  const { url, method, content_type, payload } = rest_command.kitchen_light;
  const response = await fetch(url.replace("http://127.0.0.1:8787", service), {
    method: method.toUpperCase(),
    headers: { "content-type": content_type },
    body: payload.replace("{{ to }}", "off"),
  });
  console.log(`REST command: ${response.status}, and the light is ${home.kitchen().state}`);
});
