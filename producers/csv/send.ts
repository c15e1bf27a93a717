import { setTimeout as wait } from "node:timers/promises";
import type { SendLine, SendRequest } from "../../engine/intake/connector.js";
import { postAsPartner } from "../../engine/reception/partner-client.js";
import { codeOfProblem } from "../../engine/reception/problem.js";
import { TributaryError } from "../../engine/service/errors.js";
import { type FileAnswer, isFileAnswer, type RowAnswer } from "./answer.js";

/**
 * Sends a file as a partner would, in one request, and tells what each row was answered. `rate` holds the lines back, and
 * with them the next file.
 * @throws TRIB_CONNECTOR_UNREACHABLE when nobody listens.
 */
export async function* send(request: SendRequest): AsyncIterable<SendLine> {
  const { file, bytes, partner, rate } = request;
  const address = request.addresses.find(
    (one) => one.protocol.startsWith("http") && (one.partner ?? partner) === partner,
  );
  if (!address) throw new TributaryError("TRIB_CONNECTOR_UNREACHABLE");
  const started = performance.now();
  const headers = { "content-type": "text/csv" };
  const { status, body } = await postAsPartner(address.url, { headers, body: bytes }, request.proof);
  const ms = Math.round(performance.now() - started);
  for (const [index, told] of readAnswer(status, body.toString("utf8")).entries()) {
    if (rate !== undefined) {
      const due = started + ((index + 1) * 1000) / rate;
      if (due > performance.now()) await wait(due - performance.now());
    }
    yield { file, ...told, ms };
  }
}

type Told = Omit<SendLine, "file" | "ms">;

/** The rows of an answer; one line with index null where there is none. */
function readAnswer(status: number, body: string): readonly Told[] {
  const answer = String(status);
  if (status !== 200 && status !== 422) {
    return [{ index: null, controlId: null, accepted: false, code: codeOfProblem(body), location: null, answer }];
  }
  const lines = body.split("\n").filter((line) => line !== "");
  const parsed = lines.map((line) => JSON.parse(line) as RowAnswer | FileAnswer);
  const rows = parsed.filter((line): line is RowAnswer => !isFileAnswer(line));
  if (rows.length === 0) {
    const whole = parsed.find(isFileAnswer);
    const [code, location] = [whole?.code ?? null, whole?.location ?? null];
    return [{ index: null, controlId: null, accepted: status === 200, code, location, answer }];
  }
  return rows.map(({ controlId, accepted, code, location, duplicate }, index) => ({
    index,
    controlId,
    accepted,
    code: code ?? null,
    location: location ?? null,
    // The status is the file's: what it would be for the row alone says more.
    answer: accepted ? "200" : "422",
    ...(duplicate && { duplicate }),
  }));
}
