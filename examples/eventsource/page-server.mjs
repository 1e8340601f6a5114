/** The server of the page. It has the token of the service, and gets a ticket for each stream that the page opens. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const FILES = { "/": ["page.html", "text/html"], "/follow.js": ["follow.js", "text/javascript"] };
const ROUTE = "/v1/upstreams/default/messages";

/** `service()` returns the address of the service and the token. */
export async function startPage(service) {
  const server = createServer(async (request, response) => {
    const [file, type] = FILES[request.url] ?? [];
    if (request.method === "POST" && request.url === "/ticket") {
      // Here an application looks at the cookie of its user.
      const ticket = await issueTicket(service()).catch(() => undefined);
      response.writeHead(ticket ? 200 : 503, { "content-type": "application/json" }).end(JSON.stringify(ticket ?? {}));
    } else if (file)
      response.writeHead(200, { "content-type": type }).end(readFileSync(new URL(file, import.meta.url)));
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, stop };
}

async function issueTicket({ url, token }) {
  const response = await fetch(`${url}/v1/tickets`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ route: ROUTE }),
  });
  const { ticket, detail } = await response.json();
  if (ticket === undefined) throw new Error(detail);
  return { url: `${url}${ROUTE}?ticket=${ticket}` };
}
