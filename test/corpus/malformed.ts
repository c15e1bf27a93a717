import { connect } from "node:net";
import { MllpFramer } from "../../producers/hl7v2/mllp.js";
import { readAcknowledgment } from "../../producers/hl7v2/receipt.js";
import { fulfils as fulfilsHl7v2, readSample } from "../../producers/hl7v2/testing/corpus.js";
import { fulfils as fulfilsX12, wordsOf } from "../../producers/x12/testing/words.js";
import type { TestInstallation } from "../installation.js";
import { sendFile } from "./sending.js";

export interface MalformedCase {
  /** Path in the samples. */
  readonly file: string;
  readonly wrong: string;
  /** Short form of the answer wanted. */
  readonly expect: string;
}

/** Whether nothing of the file may be accepted, by what is wanted. */
export function isRejectedAsAWhole({ file, expect }: MalformedCase): boolean {
  const wanted = expect.split(/[|,]/);
  if (file.startsWith("malformed/hl7v2/")) return wanted.every((one) => ["AR", "AE", "none"].includes(one));
  return wanted.every((one) => /^(TA1:R:(?!025)|999:(R|AK9R|IK)|file$|E$|\d$)/.test(one));
}

/** Writes bytes as they are to the MLLP port, framing included, and gives the acknowledgments' codes. */
function sendFramed(installation: TestInstallation, bytes: Buffer): Promise<(string | null)[]> {
  const { hostname, port } = new URL(installation.process("hl7v2")?.addresses[0]?.url ?? "");
  const framer = new MllpFramer(Number.MAX_SAFE_INTEGER);
  const codes: (string | null)[] = [];
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("data", (chunk: Buffer) => {
      for (const piece of framer.push(chunk)) {
        if (piece.kind === "block") codes.push(readAcknowledgment(piece.bytes, Buffer.alloc(0)).answer);
      }
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(codes));
    // Half-closed: the receiver answers what it has and closes.
    socket.end(bytes);
  });
}

/**
 * The interchange under a control number of its own (ISA13, IEA02), wherever the bytes have the old one: the files were made
 * of one public sample, and beside it and each other some would be resends.
 */
function renumbered(bytes: Buffer, ordinal: number): Buffer {
  const text = bytes.toString("latin1");
  const number = /ISA.{87}(\d{9})/s.exec(text)?.[1];
  return number === undefined ? bytes : Buffer.from(text.replaceAll(number, String(900_000_000 + ordinal)), "latin1");
}

/** Posts an interchange and gives the answer: its acknowledgments, and whether it was refused with a reason instead. */
async function postInterchange(
  installation: TestInstallation,
  bytes: Buffer,
): Promise<{ readonly answer: Buffer; readonly problem: boolean }> {
  const base = installation.process("x12")?.addresses.find(({ protocol }) => protocol === "http")?.url;
  const response = await fetch(`${base}/partners/generic/interchanges`, {
    method: "POST",
    headers: { "content-type": "application/edi-x12" },
    body: new Uint8Array(bytes),
  });
  const body = Buffer.from(await response.arrayBuffer());
  const problem = response.headers.get("content-type")?.includes("json") === true;
  return { answer: problem ? Buffer.alloc(0) : body, problem: problem && response.status < 500 };
}

/**
 * Sends a case to its connector.
 * @param ordinal of the case among all: control numbers are made of it.
 * @returns what is wrong about the answer, null when it is one of those wanted.
 */
export async function wrongAnswer(
  installation: TestInstallation,
  { file, expect }: MalformedCase,
  ordinal: number,
): Promise<string | null> {
  const bytes = readSample(file);
  if (file.startsWith("malformed/x12/")) {
    const { answer, problem } = await postInterchange(installation, renumbered(bytes, ordinal));
    const words = wordsOf(answer);
    return fulfilsX12(expect, words, problem) ? null : `${file}: ${expect} is not among ${words.join(" ")}`;
  }
  // What is wrong with the framing itself has to reach the port as it is.
  const isFramed = bytes.includes(0x0b) && !file.endsWith(".gz");
  const codes = isFramed
    ? await sendFramed(installation, bytes)
    : (await sendFile(installation, "hl7v2", file, bytes)).map(({ answer }) => answer);
  return fulfilsHl7v2(expect, codes) ? null : `${file}: ${codes} is not ${expect}`;
}
