/** The paths of upstreams and of their instances in the API. */

/** An upstream, or an instance of it. */
export interface PathHolder {
  readonly name: string;
  readonly instance?: { readonly id: string } | undefined;
}

/** No two have the same path. */
export function pathOf({ name, instance }: PathHolder): string {
  return `/v1/upstreams/${name}${instance ? `/instances/${instance.id}` : ""}`;
}
