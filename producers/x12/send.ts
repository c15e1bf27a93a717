import { setTimeout as wait } from "node:timers/promises";
import type { SendLine, SendRequest } from "../../engine/intake/connector.js";
import { postAsPartner } from "../../engine/reception/partner-client.js";
import { TributaryError } from "../../engine/service/errors.js";
import { type ReadAnswer, readAnswers } from "./acknowledgment.js";
import { type Outbox, type OutgoingUnit, readOutbox } from "./outbox.js";

type Told = Pick<SendLine, "accepted" | "code" | "location" | "answer">;

/**
 * Sends a file as a partner would, in one request, and tells what each unit was answered.
 * `rate` holds the lines back, and with them the next file.
 * @throws TRIB_CONNECTOR_UNREACHABLE when nobody listens.
 */
export async function* send(request: SendRequest): AsyncIterable<SendLine> {
  const { file, bytes, partner, rate } = request;
  const base = request.addresses.find((one) => /^https?$/.test(one.protocol) && (one.partner ?? partner) === partner);
  if (!base) throw new TributaryError("TRIB_CONNECTOR_UNREACHABLE");
  const outbox = readOutbox(bytes);
  const started = performance.now();
  const address = `${base.url}/partners/${encodeURIComponent(partner)}`;
  const sending = { headers: { "content-type": "application/edi-x12" }, body: bytes, base: address };
  const { status, body } = await postAsPartner(`${address}/interchanges`, sending, request.proof);
  const ms = Math.round(performance.now() - started);
  const lines = readResponse(outbox, status, body);
  for (const [index, told] of lines.entries()) {
    if (rate !== undefined) {
      const due = started + ((index + 1) * 1000) / rate;
      if (due > performance.now()) await wait(due - performance.now());
    }
    yield { file, ...told, ms };
  }
}

/** Lines of a response, without file and time. */
function readResponse(outbox: Outbox, status: number, body: Buffer): Omit<SendLine, "file" | "ms">[] {
  if (![200, 204, 422].includes(status)) {
    const told = { accepted: false, code: codeOfProblem(body), location: null, answer: String(status) };
    if (outbox.units.length === 0) return [{ index: null, controlId: null, ...told }];
    return outbox.units.map((unit, index) => ({ index, controlId: unit.controlId, ...told }));
  }
  const answers = answersByInterchange(outbox, readAnswers(body));
  const lines: Omit<SendLine, "file" | "ms">[] = outbox.units.map((unit, index) => ({
    index,
    controlId: unit.controlId,
    ...toldOf(unit, answers[unit.interchange], status),
  }));
  // An interchange or set without units gets a line only when it is what was rejected.
  for (const [ordinal, answer] of answers.entries()) {
    if (outbox.units.some((unit) => unit.interchange === ordinal)) continue;
    const told = emptyToldOf(answer, status);
    if (told) lines.push({ index: lines.length, controlId: outbox.interchanges[ordinal]!.control, ...told });
  }
  if (lines.length > 0) return lines;
  const code = status === 422 ? "X12_NO_UNIT" : null;
  return [{ index: null, controlId: null, accepted: code === null, code, location: null, answer: String(status) }];
}

/** Interchanges of acknowledgments alone may stay without an answer; the others are answered in order. */
function answersByInterchange(outbox: Outbox, answers: readonly ReadAnswer[]): (ReadAnswer | undefined)[] {
  const waiting = [...answers];
  const surplus = outbox.interchanges.length - answers.length;
  let silent = surplus;
  return outbox.interchanges.map((interchange) => {
    if (interchange.acknowledgments && silent > 0) {
      silent -= 1;
      return undefined;
    }
    return waiting.shift();
  });
}

function toldOf(unit: OutgoingUnit, answer: ReadAnswer | undefined, status: number): Told {
  if (answer?.rejectedBy) return rejectedInterchange(answer.rejectedBy);
  const group = answer?.groups.find((one) => one.control === unit.group);
  const set = group?.sets.get(unit.set);
  if (group && group.code !== "" && !set) {
    return {
      accepted: false,
      code: `X12_AK9_${group.code}`,
      location: null,
      answer: `${group.form}:AK9R:${group.code}`,
    };
  }
  if (group && set && !set.accepted) {
    const code = set.error?.code ?? `X12_IK5_${set.code}`;
    return { accepted: false, code, location: set.error?.location ?? null, answer: `${group.form}:R:${set.code}` };
  }
  return { accepted: true, code: null, location: null, answer: set && group ? `${group.form}:A` : String(status) };
}

function rejectedInterchange(note: string): Told {
  const code = note === "025" ? "DUPLICATE" : `X12_TA1_${note}`;
  return { accepted: false, code, location: null, answer: `TA1:R:${note}` };
}

function emptyToldOf(answer: ReadAnswer | undefined, status: number): Told | null {
  if (!answer) return null;
  if (answer.rejectedBy) return rejectedInterchange(answer.rejectedBy);
  for (const group of answer.groups) {
    for (const set of group.sets.keys()) {
      const told = toldOf({ controlId: "", interchange: 0, group: group.control, set, setId: "" }, answer, status);
      if (!told.accepted) return told;
    }
    if (group.verdict === "R") {
      return {
        accepted: false,
        code: `X12_AK9_${group.code || "R"}`,
        location: null,
        answer: `${group.form}:AK9R:${group.code}`,
      };
    }
  }
  return null;
}

function codeOfProblem(body: Buffer): string | null {
  try {
    const problem = JSON.parse(body.toString("utf8")) as { readonly code?: unknown; readonly reason?: unknown };
    // Of a body that can't be read the reason is a code of its own; of anything else it is words.
    const { reason, code } = problem;
    if (typeof reason === "string" && reason.startsWith("X12_")) return reason;
    return typeof code === "string" ? code : null;
  } catch {
    return null;
  }
}
