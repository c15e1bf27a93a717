import { type AskingClient, tokenRequest } from "../../engine/reception/token-request.js";
import { isElement, text } from "./element.js";

/** Seconds before its end at which a token is renewed. */
const early = 30;

export interface TokenOptions {
  /** Base of the server that the token is for: its SMART configuration names the token endpoint. */
  readonly base: string;
  /** The token endpoint, for a server without a SMART configuration. */
  readonly endpoint?: string | undefined;
  /** Read anew each time, so that a key may be changed while it runs. */
  readonly client: () => AskingClient;
  readonly answerWithin: number;
  readonly stop: AbortSignal;
}

/** The access token of one client at one server (SMART Backend Services), kept until shortly before its end. */
export class AccessToken {
  readonly #options: TokenOptions;
  #kept: { readonly token: string; readonly until: number } | undefined;

  constructor(options: TokenOptions) {
    this.#options = options;
  }

  /** @throws when the server gives none. */
  async get(): Promise<string> {
    if (this.#kept === undefined || Date.now() >= this.#kept.until) this.#kept = await this.#ask();
    return this.#kept.token;
  }

  /** The server no longer takes it. */
  forget(): void {
    this.#kept = undefined;
  }

  async #ask() {
    const endpoint = this.#options.endpoint ?? (await this.#endpoint());
    const body = await tokenRequest(this.#options.client(), endpoint);
    const answer = await this.#json(endpoint, { method: "POST", body });
    const token = text(answer, "access_token");
    if (token === undefined) throw new Error("the token endpoint gives no token");
    const seconds = typeof answer.expires_in === "number" ? answer.expires_in : 60;
    return { token, until: Date.now() + Math.max(seconds - early, 0) * 1000 };
  }

  async #endpoint(): Promise<string> {
    const { base } = this.#options;
    const configuration = await this.#json(`${base}/.well-known/smart-configuration`, {
      headers: { accept: "application/json" },
    });
    const endpoint = text(configuration, "token_endpoint");
    if (endpoint === undefined) throw new Error("the server's SMART configuration names no token endpoint");
    // Who can read the answer has the token.
    if (base.startsWith("https:") && !endpoint.startsWith("https:")) throw new Error("the token endpoint is not https");
    return endpoint;
  }

  async #json(url: string, request: RequestInit) {
    const signal = AbortSignal.any([this.#options.stop, AbortSignal.timeout(this.#options.answerWithin)]);
    const response = await fetch(url, { ...request, redirect: "error", signal });
    const answer: unknown = response.ok ? await response.json() : undefined;
    if (!isElement(answer)) throw new Error(`the server answers ${response.status} where it is asked for a token`);
    return answer;
  }
}
