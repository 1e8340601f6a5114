/** The form that asks for the token. */

import { html, useEffect, useRef, useState } from "./preact.js";
import { token } from "./service.js";

/** @param why says why the last one was refused */
export function AskToken({ why, onToken }) {
  const [text, setText] = useState("");
  const input = useRef();
  useEffect(() => input.current.focus(), []);
  const use = (event) => {
    event.preventDefault();
    token.text = text;
    onToken();
  };
  return html`<form class="panel ask" onSubmit=${use}>
    <h2>The service needs a token</h2>
    ${why && html`<p class="reason" role="alert"><b>Refused</b> ${why}</p>`}
    <label class="wide">Token of the API
      <input
        type="password"
        autocomplete="off"
        ref=${input}
        value=${text}
        onInput=${({ target }) => setText(target.value.trim())}
      />
    </label>
    <div class="bar"><button class="main" disabled=${text === ""}>Use it</button>
    <span class="hint">It stays in this tab until you close it, and is never part of an address.</span></div>
  </form>`;
}
