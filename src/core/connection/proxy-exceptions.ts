/** The hosts that are connected to without the proxy: the language of the variable NO_PROXY. */

interface Named {
  readonly hostname: string;
  readonly port: number;
}

/**
 * True if one of the patterns covers the host. `example.org`, `.example.org` and `*.example.org` cover it and all
 * below it, `10.0.0.0/8` a network of IPv4, `*` everything; each but the last may have a port.
 */
export function isExcepted({ hostname, port }: Named, patterns: readonly string[]): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  return patterns.some((pattern) => {
    if (pattern === "*") return true;
    const { name, wanted } = partsOf(pattern.toLowerCase());
    if (wanted !== undefined && wanted !== port) return false;
    if (name.includes("/")) return isInNetwork(host, name);
    const domain = name.replace(/^\*?\./, "");
    return domain !== "" && (host === domain || host.endsWith(`.${domain}`));
  });
}

/** An address of IPv6 has a port only behind brackets. */
function partsOf(pattern: string): { readonly name: string; readonly wanted: number | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(pattern) ?? [];
  return { name: bracketed ?? plain ?? pattern, wanted: port === undefined ? undefined : Number(port) };
}

function isInNetwork(host: string, network: string): boolean {
  const [base = "", length = ""] = network.split("/");
  const [address, start] = [numberOf(host), numberOf(base)];
  const bits = Number(length);
  if (address === undefined || start === undefined || !/^\d+$/.test(length) || bits > 32) return false;
  const size = 2 ** (32 - bits);
  return Math.floor(address / size) === Math.floor(start / size);
}

function numberOf(address: string): number | undefined {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(address)) return undefined;
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}
