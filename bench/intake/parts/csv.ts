import { fileURLToPath } from "node:url";
import { checkRows, type SentFile } from "../csv-far-end.js";
import { memberRows, type RowKind, remitRows, rowsOf } from "../csv-rows.js";
import { dropFile, writePieces } from "../drop.js";
import type { IntakeBenchPart, Measure } from "../part.js";
import type { BenchPlace } from "../place.js";

/** Rounds of the throughput run: on a machine that others use too, the best one tells most of the connector. */
const rounds = 3;
const warmUp = 20_000;
/** Rows of the large file: more than 100 MB. */
const large = 1_000_000;

/** Sends the next rows of a kind, over one of the two ways in. */
class Sender {
  readonly sent: SentFile[] = [];
  readonly #place: BenchPlace;
  readonly #next = new Map<RowKind, number>();

  constructor(place: BenchPlace) {
    this.#place = place;
  }

  #take(kind: RowKind, rows: number): SentFile {
    const from = this.#next.get(kind) ?? 0;
    this.#next.set(kind, from + rows);
    const file = { kind, from, to: from + rows };
    this.sent.push(file);
    return file;
  }

  /** As a dropped file, until its verdicts stand beside it. */
  drop(kind: RowKind, rows: number): Promise<{ readonly seconds: number; readonly bytes: number }> {
    const { from, to } = this.#take(kind, rows);
    const address = this.#place.addresses.find(
      ({ protocol, partner }) => protocol === "file" && partner === kind.partner,
    );
    const folder = fileURLToPath(address?.url ?? "");
    return dropFile(folder, `rows-${from}.csv`, ".verdicts.ndjson", (path) =>
      writePieces(path, rowsOf(kind, from, to)),
    );
  }

  /** In one request, until its verdicts were read. */
  async post(kind: RowKind, rows: number): Promise<{ readonly seconds: number; readonly bytes: number }> {
    const { from, to } = this.#take(kind, rows);
    const body = Buffer.from([...rowsOf(kind, from, to)].join(""));
    const address = this.#place.addresses.find(
      ({ protocol, partner }) => protocol === "http" && partner === kind.partner,
    );
    const began = performance.now();
    const response = await fetch(address?.url ?? "", { method: "POST", headers: { "content-type": "text/csv" }, body });
    const answer = await response.text();
    if (response.status !== 200) throw new Error(`a file was answered ${response.status}`);
    if (answer.split("\n").length !== rows + 2) throw new Error("an answer lacks rows");
    return { seconds: (performance.now() - began) / 1000, bytes: body.length };
  }
}

const part: IntakeBenchPart = {
  connector: "csv",
  about:
    "payments (105 bytes a row, three claims a member) and members (70 bytes, every one new), counted when the verdicts stand in their file",
  async run(place, options) {
    const units = options.units ?? 240_000;
    const each = Math.floor(units / rounds);
    const sender = new Sender(place);
    await sender.drop(remitRows, warmUp);
    await sender.drop(memberRows, warmUp);
    const measures: Measure[] = [];
    const measure = async (
      name: string,
      least: number | undefined,
      send: () => Promise<{ readonly seconds: number }>,
    ) => {
      const before = place.usage("csv");
      const speeds: number[] = [];
      for (let round = 0; round < rounds; round++) speeds.push(Math.round(each / (await send()).seconds));
      const used = place.usage("csv").cpuSeconds - before.cpuSeconds;
      measures.push(
        {
          name: `${name}, best of ${speeds.join(", ")}`,
          value: Math.max(...speeds),
          unit: "rows/s",
          ...(least !== undefined && { atLeast: least }),
        },
        {
          name: `${name}: CPU of the connector`,
          value: Math.round((used / (each * rounds)) * 1e6),
          unit: "s a million rows",
        },
      );
    };
    await measure(`payments, files of ${each}`, 20_000, () => sender.drop(remitRows, each));
    await measure(`payments, requests of ${each}`, 20_000, () => sender.post(remitRows, each));
    await measure(`new members, files of ${each}`, undefined, () => sender.drop(memberRows, each));
    const small = sender.sent.length;
    const memory = (name: string): Measure => ({
      name,
      value: Math.round(place.usage("csv").peakBytes / 1e6),
      unit: "MB",
      atMost: 300,
    });
    measures.push(memory("peak resident memory of the connector so far"));
    if (options.large !== false) {
      const { seconds, bytes } = await sender.drop(remitRows, large);
      const name = `accepted from one file of ${Math.round(bytes / 1e6)} MB`;
      measures.push({ name, value: Math.round(large / seconds), unit: "rows/s" });
      measures.push(memory("peak resident memory of the connector after it"));
    }
    return { measures, checked: await checkRows(place, sender.sent, small) };
  },
};

export default part;
