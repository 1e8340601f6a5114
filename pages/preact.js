/** The rendering that the pages use, bundled into one file by scripts/pages.mjs. */
export { html, render } from "htm/preact";
export { useEffect, useRef, useState } from "preact/hooks";
